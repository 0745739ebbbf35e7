"""Identity providers that speak SCIM 2.0: by the book, as Entra does, and as systems do that were built for Okta."""
