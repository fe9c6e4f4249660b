"""Publishing from programs that run on asyncio: the same face as `windage.Publisher`, awaited.

    pub = windage.aio.Publisher("http://localhost:8080", model="fraud", version="3.2")
    pid = await pub.prediction(features, prediction=1, score=0.83)

Leaves to others: the face (`publisher`), the task that sends (`outbox`), clients.
"""

from windage.aio.publisher import Publisher

__all__ = ["Publisher"]
