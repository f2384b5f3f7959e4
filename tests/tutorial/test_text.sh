#!/usr/bin/env bash
# The tutorial shows its programs and sessions as they are, and the same in both languages.
set -euo pipefail

"${TUSK_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}/tools/tutorial"
