"""Events out: query jobs, live streams, and the searches behind them."""
