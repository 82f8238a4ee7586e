"""What every upstream provider needs: HTTP with time-outs, tries and a breaker, event streams, keys, refusals."""
