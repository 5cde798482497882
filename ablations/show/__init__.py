"""One trace before and after its corruption, with the changes marked."""
