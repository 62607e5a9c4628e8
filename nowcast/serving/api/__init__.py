"""The HTTP read path: answers from the stores alone, while Ray and Prefect are down."""
