"""LogScale's GraphQL endpoint: the documents, and the client that knows its envelope."""
