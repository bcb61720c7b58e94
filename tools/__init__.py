"""Tools of the developers; the product needs none of them."""
