"""What a report can be written as."""

FORMATS = ("html", "json", "junit", "sarif", "pcapng", "pytest", "text")
"""What can be asked for beside the pictures and run.json, which are always written. pcapng, pytest: of each finding."""
DEFAULT_FORMATS = ("html", "json", "pcapng", "pytest", "text")
"""What a person wants; junit and sarif are for services that read them."""
