"""The config of an installation: `windage.yaml`, checked.

Promises: every key has a default except `models` and their `task`; unknown keys are refused;
what is loaded can be dumped without its secrets.
Leaves to others: reading files and naming lines (`load`), single models (`config_model`),
connections (`config_links`, `config_sinks`).
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.config_links import Http, Kafka, Limits, Redis, State, TopicNames
from schemas.config_model import ModelConfig, config_hash
from schemas.config_sinks import Sink
from schemas.config_values import Name, Part, fault
from schemas.inputs import is_name
from schemas.vocabulary import UNNAMED


def _check_model_name(name: str) -> str:
    """A model's name, or what stands for all that are not named."""
    if name != UNNAMED and not is_name(name):
        raise ValueError(f"must be up to 128 letters, digits and _ . : -, or {UNNAMED}")
    return name


ModelName = Annotated[str, AfterValidator(_check_model_name)]


class Config(Part):
    """One installation."""

    version: Literal[1] = 1
    app: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "windage"
    kafka: Kafka = Kafka()
    topics: TopicNames = TopicNames()
    envelope: Literal["binary", "structured"] = "binary"
    redis: Redis | None = None
    http: Http = Http()
    sinks: dict[Name, Sink] = Field(default_factory=dict)
    state: State = State()
    limits: Limits = Limits()
    models: Annotated[dict[ModelName, ModelConfig], Field(min_length=1)]

    def model(self, name: str) -> ModelConfig | None:
        """The config of a model, named or not; None if it is unknown."""
        return self.models.get(name, self.models.get(UNNAMED))

    def named_sinks(self) -> frozenset[str]:
        """Sinks that a route or an escalation names; the others are told of everything."""
        policies = [model.policy for model in self.models.values()]
        named = [route.sink for policy in policies for route in policy.routes]
        named += [policy.escalation.sink for policy in policies]
        return frozenset(name for name in named if name is not None)

    def hashes(self) -> dict[str, str]:
        """What names the epoch of each model."""
        return {name: config_hash(model) for name, model in self.models.items()}

    @model_validator(mode="after")
    def _sinks_exist(self) -> Self:
        # Without any sink the name still says in the alert where it belongs.
        known = ", ".join(sorted(self.sinks))
        for name, model in self.models.items():
            policy = model.policy
            named = {f"routes.{i}.sink": route.sink for i, route in enumerate(policy.routes)}
            for place, sink in {**named, "escalation.sink": policy.escalation.sink}.items():
                if self.sinks and sink is not None and sink not in self.sinks:
                    raise fault(f"models.{name}.policy.{place}", f"must be one of: {known}")
        return self

    @model_validator(mode="after")
    def _unnamed_learn(self) -> Self:
        model = self.models.get(UNNAMED)
        if model is not None and model.reference.from_ not in ("first", "topic"):
            raise fault(
                f"models.{UNNAMED}.reference.from",
                "must be first or topic: models that are not named have no reference in common",
            )
        return self

    @model_validator(mode="after")
    def _segments_are_few(self) -> Self:
        for name, model in self.models.items():
            declared = sum(len(one.edges) + 1 for one in model.segments if one.edges)
            if declared > self.limits.segments:
                raise fault(
                    f"models.{name}.segments",
                    f"its edges make {declared} segments, more than limits.segments,"
                    f" {self.limits.segments}",
                )
        return self

    @model_validator(mode="after")
    def _retention_covers_the_horizon(self) -> Self:
        for name, model in self.models.items():
            for topic in ("predictions", "labels"):
                kept = self.topics.retention.get(topic)
                needed = model.labels.horizon + model.lateness
                if kept is not None and model.labelled and self.redis is None and kept < needed:
                    raise fault(
                        f"models.{name}.labels.horizon",
                        f"with lateness it must not exceed topics.retention.{topic},"
                        " or a restart could not find the partners of labels",
                    )
        return self


def dump_redacted(config: Config) -> dict[str, Any]:
    """The config as JSON values, secrets as asterisks, unset keys as null."""
    return config.model_dump(mode="json", by_alias=True)
