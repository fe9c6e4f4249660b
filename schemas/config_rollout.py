"""How a new version is let in: shares of the traffic, and what it must show at each.

Leaves to others: comparing the versions (monitor), the verdict (the policy organ).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.config_values import Duration, Part, Ratio, fault


class Rollout(Part):
    """A canary is asked to advance from share to share, to wait, or to go back.

    `margin`: how much worse a rate (errors, failures, slow answers) may be, in points as a share,
    and a figure, as a share of the champion's. `error_rate`: the chance that a canary within the
    margin is ever asked back, and that one beyond it is let past a step. `estimated`: what follows
    where errors are proven by the meaning of scores alone, before any label.
    """

    steps: tuple[Ratio, ...] = (0.05, 0.2, 0.5, 1.0)
    margin: Ratio = 0.02
    error_rate: Ratio = 0.05
    estimated: Literal["hold", "rollback"] = "hold"
    min_duration: Duration = 3_600_000
    min_rows: Annotated[int, Field(ge=1)] = 500

    @model_validator(mode="after")
    def _sound(self) -> Self:
        grows = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or not grows or self.steps[0] <= 0 or self.steps[-1] != 1:
            raise fault("steps", "must grow from above 0 to 1")
        if not 0 < self.margin < 1:
            raise fault("margin", "must be above 0 and below 1")
        if not 0 < self.error_rate < 1:
            raise fault("error_rate", "must be above 0 and below 1")
        return self
