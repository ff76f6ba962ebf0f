"""The API over HTTP: one request with its retries, pages, and one walk over all of them."""
