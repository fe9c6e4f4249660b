"""Loading: what the operator reads when something is wrong, word by word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Config
from schemas.config_error import ConfigError
from schemas.load import load, load_text

CONTRACT = """\
version: 1
kafka: {bootstrap: localhost:9092, security: {protocol: SASL_SSL, username: "${USER_}", password: "${file:/run/secrets/kafka}"}}
models:
  fraud:
    task: binary                    # binary | multiclass | regression | none
    pane: 1m
    lateness: 30s                   # between event time and broker time
    clock: broker
    labels: {horizon: 30d, min_coverage: 0.3, sample: 1.0}
    features: auto
    segments: [region, {feature: age, edges: [30, 50]}]
    reference: {from: file, path: train.parquet}
    compare: [training, rolling 30d, seasonal hour_of_week]
    tolerance: 0.1
    null: joint
    false_alarms: 1 per 30d
    monitors: auto
    policy: {sustained: 3 panes, resolve_after: 3 panes, cool_down: 1h, routes: [{class: data_quality, severity: red, owner: data-eng, sink: pager, runbook: https://wiki.example/runbook}]}
    retrain: {mode: hybrid, schedule: "0 2 1 * *", timezone: UTC, min_interval: 7d, min_labels: 2000, when: [performance_red, performance_yellow, important_drift_red, novelty_red, external, labels_redefined], approval: required}
    rollback: {below_baseline: 10%, error_spike_within: 2h}
    calendar: [{name: black_friday, from: 2026-11-27, to: 2026-11-30}]
    impact: {level: high, retrain_cost: 300, cost_per_point: 5000}
"""  # noqa: E501 - as in the contract
ENVIRONMENT = {"USER_": "svc", "PORT": "9090", "SECRET": "geheim"}
FILES = {"/run/secrets/kafka": "geheim\n", "windage.yaml": CONTRACT}


def read(path):
    try:
        return FILES[path]
    except KeyError:
        raise FileNotFoundError(path) from None


def problems(text):
    with pytest.raises(ConfigError) as refusal:
        load_text(text, ENVIRONMENT, read)
    assert str(refusal.value).splitlines() == [str(one) for one in refusal.value.problems]
    assert "geheim" not in str(refusal.value)
    return str(refusal.value).splitlines()


def test_the_example_of_the_contract_loads():
    fraud = load("windage.yaml", ENVIRONMENT, read).models["fraud"]
    assert 30 * 86_400_000 == fraud.labels.horizon
    assert ("data_quality", "pager") == (
        fraud.policy.routes[0].class_,
        fraud.policy.routes[0].sink,
    )
    assert "train.parquet" == fraud.reference.path


def test_two_lines_load():
    assert (
        "regression"
        == load_text("models:\n  eta: {task: regression}\n", {}, read).models["eta"].task
    )


def test_a_typo_names_line_path_and_nearest_key():
    text = CONTRACT.replace("    lateness:", "    latenes:")
    assert [
        (
            'windage.yaml:7: models.fraud.latenes: unknown key; did you mean "lateness"? allowed: '
            "task, pane, lateness, clock, timestamps, positive, classes, labels, features, "
            "segments, reference, compare, tolerance, null, false_alarms, monitors, policy, "
            "retrain, rollback, rollout, silent_after, calendar, impact, fairness, card"
        )
    ] == problems(text)


def test_the_column_is_known_too():
    with pytest.raises(ConfigError) as refusal:
        load_text("models: {a: {task: none, pan: 1m}}", {}, read)
    (problem,) = refusal.value.problems
    assert (1, 26, "models.a.pan", "pane") == (
        problem.line,
        problem.column,
        problem.path,
        problem.nearest,
    )


def test_every_problem_is_told_at_once_in_the_order_of_lines(root):
    golden = root / "tests" / "schemas" / "golden"
    expected = (golden / "many_problems.txt").read_text("utf-8").splitlines()
    assert expected == problems((golden / "many_problems.yaml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("models:\n  a.b: {task: none,\n    monitors: [{watch: error, detector: psi}]}\n",
         "windage.yaml:3: models['a.b'].monitors[0].watch: needs labels, and this model has none"),
        ("kafka:\n  bootstrap: kafka:9092\nmodels: {a: {task: none}}\n",
         ("windage.yaml:1: kafka.security.protocol: predictions would travel in the clear beyond "
         "this machine; use TLS or set allow_insecure: true")),
        ("models: {a: {task: none}}\nredis: {password: geheim}\n",
         ("windage.yaml:2: redis.password: is a secret; write ${NAME} or ${file:PATH} instead of "
         "the secret itself")),
        ('models: {a: {task: none}}\nredis: {password: "${NOWHERE}"}\n',
         "windage.yaml:2: redis.password: the environment variable NOWHERE is not set"),
        ('models: {a: {task: none}}\nredis: {password: "${file:/nowhere}"}\n',
         "windage.yaml:2: redis.password: the file it is to be read from cannot be read"),
        ('models: {a: {task: none}}\nredis: {ca: "${1+1}"}\n',
         ("windage.yaml:2: redis.ca: has a ${ that is neither ${NAME}, ${NAME:-default} nor "
         "${file:PATH}; write $${ for the characters themselves")),
        ("app: [\n", "windage.yaml:2: is no YAML: expected the node content"),
        ("models:\n\ta: {task: none}\n",
         "windage.yaml:2: is no YAML: found character '\\t' that cannot start any token"),
        ("models: {a: {task: none}}\nredis: {password: ${NOWHERE}}\n",
         ("windage.yaml:2: is no YAML: expected ',' or '}'; "
         'quote what begins with ${: "${NAME}"')),
        ("a: *geheim", "windage.yaml:1: is no YAML: found undefined alias"),
        ("models: {a b/c: {task: none}}",
         "windage.yaml:1: models['a b/c']: must be up to 128 letters, digits and _ . : -, or *"),
        ("models: {a: {task: none}, a: {task: none}}", "windage.yaml:1: models.a: is there twice"),
        ("models: {a: !!python/name:os.system {}}", "windage.yaml:1: models.a: must be a mapping"),
        ("models: {a: !secret geheim}", "windage.yaml:1: models.a: must be a mapping"),
        ("", "windage.yaml: is empty"),
        ("- geheim", "windage.yaml:1: must be a mapping"),
        ("{[a]: 1}", "windage.yaml:1: models: is required"),
        ("a: \x07", "windage.yaml: is no YAML: it has characters that YAML does not allow"),
        ("[" * 3000, "windage.yaml: is nested too deeply"),
        ("&a [*a]", "windage.yaml: has too many values or nests them too deeply"),
        ("x" * 2**20 + "y", "windage.yaml: is larger than 1 MiB"),
        ("models: {a: {task: none, reference: {rows: 50}}}",
         ("windage.yaml:1: models.a.reference.from: is required; "
         "allowed: file, first, topic, previous")),
    ],
)  # fmt: skip
def test_problems_word_by_word(text, line):
    assert line in problems(text)


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "too many values" in problems("\n".join(lines))[0]


def test_a_foreign_tag_is_a_problem():
    for text in ("app: !!python/object:os.system x", "app: !secret x"):
        said = problems(f"models: {{a: {{task: none}}}}\n{text}\n")
        assert "windage.yaml:2: app: has a tag; only plain values are allowed" in said


def test_interpolation_fills_values_and_is_never_parsed_again():
    text = """\
models: {a: {task: none}}
http: {port: "${PORT}", dashboard_url: "http://${HOST:-localhost}:${PORT}/"}
app: ${INJECTED:-x}
state: {key: "${SECRET}"}
kafka: {group: "a$${b"}
"""
    with pytest.raises(ConfigError, match=r"kafka\.group: must match"):
        load_text(text, ENVIRONMENT, read)
    made = load_text(text.replace("a$${b", "g"), ENVIRONMENT, read)
    assert (9090, "http://localhost:9090/", "x") == (
        made.http.port,
        made.http.dashboard_url,
        made.app,
    )
    assert "geheim" == made.state.key.get_secret_value()
    with pytest.raises(ConfigError, match=r"app: must match"):
        load_text(text.replace("a$${b", "g"), ENVIRONMENT | {"INJECTED": "{a: b}"}, read)


def test_a_secret_read_from_a_file_has_no_line_end():
    password = load("windage.yaml", ENVIRONMENT, read).kafka.security.password
    assert "geheim" == password.get_secret_value()


def test_words_of_yaml_1_1_are_words():
    made = load_text(
        "models: {a: {task: none, retrain: {mode: off}, positive: null}, no: {task: binary,"
        " classes: [yes, no], positive: yes}}",
        {},
        read,
    )
    assert "off" == made.models["a"].retrain.mode
    assert ("yes", "no") == made.models["no"].classes


def test_merge_keys_bring_in_what_is_not_given():
    made = load_text(
        "models:\n  a: &base {task: none, pane: 10s}\n  b: {<<: *base, pane: 20s}\n", {}, read
    )
    assert ("none", 20_000) == (made.models["b"].task, made.models["b"].pane)


def test_a_file_that_is_not_there_is_not_a_problem_of_its_text():
    with pytest.raises(FileNotFoundError):
        load("elsewhere.yaml", {}, read)


yaml_like = st.text(st.sampled_from("ab{}[]:,-&*!|>%@'\" \n#$?\t1."), max_size=40)


@given(yaml_like | st.text(max_size=20) | yaml_like.map(lambda t: f"models: {{a: {t}}}"))
def test_any_text_is_a_config_or_a_config_error(text):
    try:
        outcome = load_text(text, {}, read)
    except ConfigError as refusal:
        outcome = refusal
    assert isinstance(outcome, Config) or outcome.problems


def test_problems_name_the_file_that_was_loaded():
    with pytest.raises(
        ConfigError, match=r"conf/prod\.yaml:1: model: unknown key; did you mean \"models\""
    ):
        load("conf/prod.yaml", {}, lambda _: "model: {a: {task: none}}")


def test_a_file_that_is_no_text_is_no_yaml():
    with pytest.raises(ConfigError, match=r"^windage\.yaml: is no YAML"):
        load("windage.yaml", {}, lambda _: b"\xff".decode())


def test_a_secret_that_is_null_is_none():
    made = load_text("models: {a: {task: none}}\nredis: {password: null}\n", {}, read)
    assert made.redis.password is None


def test_a_feature_that_is_not_declared_is_named_with_the_nearest_that_is():
    features = ", ".join(f"feature_{i}: numeric" for i in range(60))
    text = f"""
version: 1
models:
  m:
    task: none
    pane: 1m
    features: {{age: numeric, {features}}}
    segments: [{{feature: agee}}]
    monitors: [{{watch: "feature:agge", detector: control_chart}}]
"""
    with pytest.raises(ConfigError) as told:
        load_text(text, {}, lambda name: "")
    assert 'is no declared feature; did you mean "age"? allowed: age, feature_0, ' in str(
        told.value
    )
    assert str(told.value).endswith("feature_48 and 11 more")
