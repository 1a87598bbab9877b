def fallback_source(p,t): raise NotImplementedError
