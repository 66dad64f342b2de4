"""HTTP on the server side: doors of many rows, requests as ASGI."""
