"""The certificate factory: chains with any set of defects, and what a validator has to find in them."""
