# SPDX-License-Identifier: MIT
"""The lab: a daemon per cluster directory that owns the QEMUs and the switch, and its client."""
