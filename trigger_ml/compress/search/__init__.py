"""The search over trainings: Optuna draws, Dask runs, files remember."""
