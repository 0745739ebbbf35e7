"""The glossary: what the firm's words mean, as a definition and as an expression that can be computed."""
