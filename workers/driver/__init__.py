"""One process a search: proposes candidates, has them admitted, runs them on Ray Tune."""
