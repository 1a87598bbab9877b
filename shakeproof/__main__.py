"""`python -m shakeproof`."""

from __future__ import annotations

import sys

from shakeproof.cli import main

sys.exit(main())
