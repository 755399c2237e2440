"""What a night costs: through a real Airflow beside the same DAG with empty tasks, and in batches beside astropy."""
