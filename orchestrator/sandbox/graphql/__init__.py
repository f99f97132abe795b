"""The GraphQL face: our own schema text, checks of inputs, and resolvers over the assets."""
