"""An embedded PureTalk API with a plausible account: `make demo` syncs it, and tests change it during syncs.

with DemoApi(Account(seed=1)) as api:
    api.base_url, api.key
"""

from puretalk.demo.account import MISSING, TODAY, Account, Change
from puretalk.demo.server import Asked, DemoApi, Seen, serve

__all__ = ["MISSING", "TODAY", "Account", "Asked", "Change", "DemoApi", "Seen", "serve"]
