"""LTS, the License Tracking Server: see docs/developer.md for the map of this package."""

__version__ = "0.1.0"
