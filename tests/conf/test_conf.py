"""Every configuration file composes, and every name in one is a name in the registry."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from relutopo import registry
from relutopo.app import resolvers, schema
from relutopo.app.messages import EXPECTED, explain, refuse_values_of_groups
from relutopo.errors import DeviceError, InputError, MissingExtraError
from relutopo.learning.trainer import MlpSettings, TrainerSettings

CONF = Path(str(resources.files("relutopo.conf")))
FILES = sorted(path.relative_to(CONF) for path in CONF.rglob("*.yaml"))
ROLES = sorted({path.parts[0] for path in FILES if path.parts[0] in registry.roles()})
EXPERIMENTS = sorted(path.stem for path in FILES if path.parts[0] == "experiment")
OF_MODELS_OF_ONES_OWN = "inspect"
NEED_A_CARD = {"cuda", "cuda_lobpcg"}
NAMED_BOXES = {"box_2", "box_5"}
NEEDED = {"box": ["domain.low=-1", "domain.high=[1,2]"], "slice_through": ["domain.points=[0,1]"]}
"""Choices with keys that only the user can give a value."""
resolvers.register()
schema.register()


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with hydra.initialize_config_module("relutopo.conf", version_base="1.3"):
        yield
    assert not GlobalHydra.instance().is_initialized()


def compose(*overrides: str) -> dict[str, Any]:
    """Compose a job's configuration."""
    return copy.deepcopy(composed(overrides))


@functools.cache
def composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    """Compose once what several tests look at."""
    config = hydra.compose("config", overrides=list(overrides))
    values = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


IN_GROUPS = [path for path in FILES if len(path.parts) == 2]
# The tests after this one compose the others.
FIRST = [path for path in IN_GROUPS if path.parts[0] not in ROLES or path.stem == "other"]


@pytest.mark.parametrize("path", FIRST, ids=str)
def test_every_file_composes(path: Path) -> None:
    group, name = path.parts[0], path.stem
    if name == "other":
        place = "signature.other" if group == "signature" else group  # of which there are several
        values = compose(f"{group}=other", f"{place}.name=mine", f"+{place}.option=1")
        found = values["signature"]["other"] if group == "signature" else values[group]
        assert found == {"name": "mine", "option": 1}
    else:
        compose(f"{group}={name}")


NAMES = {
    role: sorted({path.stem for path in FILES if path.parts[0] == role} - {"other"})
    for role in ROLES
}


def chosen(role: str, name: str) -> dict[str, Any]:
    """Return what a role's file says, with a value for each key that has none.

    Composing takes a tenth of a second, so the first files of all roles are chosen together.
    """
    k = NAMES[role].index(name)
    beside = {other: names[k] for other, names in NAMES.items() if k < len(names)}
    needed = [override for choice in beside.values() for override in NEEDED.get(choice, [])]
    values = compose(*(f"{other}={choice}" for other, choice in beside.items()), *needed)[role]
    found: dict[str, Any] = values[name] if role == "signature" else values
    return found


@pytest.mark.parametrize("role", ROLES)
def test_file_name_is_registry_name(role: str) -> None:
    names = set(NAMES[role])
    assert names - NAMED_BOXES <= set(registry.names(role))
    for name in names:
        expected = "box" if name in NAMED_BOXES else name
        assert chosen(role, name)["name"] == expected


@pytest.mark.parametrize("role", [role for role in ROLES if role != "data"])
def test_every_name_can_be_created_with_its_options(role: str) -> None:
    for name in NAMES[role]:
        options = chosen(role, name)
        try:
            registry.create(role, options.pop("name"), **options)
        except (MissingExtraError, DeviceError):
            assert name in NEED_A_CARD


def test_every_role_has_files() -> None:
    assert set(ROLES) == set(registry.roles())
    for role in set(ROLES) - {"enumerator"}:
        # A function cannot be written in YAML.
        names = set(registry.names(role)) - {"lower_star"}
        files = {path.stem for path in FILES if path.parts[0] == role}
        assert not names - files, f"add conf/{role}/<name>.yaml for {sorted(names - files)}"


@pytest.mark.parametrize("experiment", sorted({*EXPERIMENTS} - {OF_MODELS_OF_ONES_OWN}))
def test_experiments_make_settings_and_data(experiment: str) -> None:
    values = compose(f"experiment={experiment}")
    MlpSettings(**values["network"])
    TrainerSettings(**values["trainer"])
    data = registry.create("data", values["data"].pop("name"), **values["data"])
    assert len(data.points) == values["data"]["n"]


def words_for(experiment: str) -> dict[str, str]:
    """Return the settings of an experiment in the words of the pages of results."""
    values = compose(f"experiment={experiment}")
    data, network, trainer = values["data"], values["network"], values["trainer"]
    scale = network["init_scale"]
    n_outputs = 3 if data["name"].startswith("three") else 1
    return {
        "data": data["name"],
        "network": "-".join(map(str, [2, *network["hidden"], n_outputs])),
        "precision": {"float32": "single", "float64": "double"}[network["dtype"]] + " precision",
        "initialisation": "torch's" if scale == 1 else f"{scale:g} times torch's",
        "points": f"{data['n']} points",
        "noise": f"{data.get('noise', 0)} ({experiment})",
        "loss": {"mse": "squared error", "bce": "cross entropy"}[trainer["loss"]],
        "smoothing": f"{trainer['label_smoothing']:g} ({experiment})",
        "rate": f"AdamW with learning rate {trainer['learning_rate']:g}",
        "decay": f"{trainer['weight_decay']:g}",
        "decaying": "weights and biases" if trainer["decay_biases"] else "weights only",
        "steps": f"{trainer['n_steps']} steps",
        "target": {"bump": "Gaussian bump", "franke": "Franke's function"}.get(data["name"], ""),
        "domain": "[{low}, {high}]²".format_map({"low": "", "high": ""} | values["domain"]),
    }


def page_of_results(name: str) -> str:
    """Return a page as one line."""
    return " ".join((Path(__file__).parents[2] / "docs" / name).read_text().split())


@pytest.mark.parametrize(
    "pair", [("two_moons", "two_circles"), ("two_moons_grok", "two_circles_grok")], ids=str
)
def test_results_tell_the_settings_of_their_experiments(pair: tuple[str, str]) -> None:
    moons, circles = (words_for(experiment) for experiment in pair)
    of_one = ("data", "noise", "domain", "smoothing")
    alike = {key: moons[key] for key in moons if key not in of_one}
    assert alike == {key: circles[key] for key in alike}
    assert (moons["data"], circles["data"]) == ("two_moons", "two_circles")
    start = "" if alike["initialisation"] == "torch's" else "with {initialisation} initialisation"
    told = (
        f"Networks {{network}} in {{precision}} {start}, {{points}} with noise "
        f"{moons['noise']} or {circles['noise']}, {{loss}}, {{rate}} and decay {{decay}} on "
        "{decaying}, {steps}"
    ).format_map(alike)
    page = page_of_results("results.md")
    assert told.replace(" ,", ",") in page
    for words in (moons, circles):
        if not words["smoothing"].startswith("0 "):
            assert f"labels smoothed by {words['smoothing']}" in page


def test_results_of_spirals_and_of_three_classes_tell_the_settings_of_their_experiments() -> None:
    page = page_of_results("results.md")
    two, *three = (
        words_for(e) for e in ("two_spirals", "three_rings", "three_spirals", "three_blobs")
    )
    alike = (
        "networks {network} in {precision}, {points} with noise %s, {loss}%s, {rate} and decay "
        "{decay} on {decaying}, {steps}"
    )
    assert (alike % (two["noise"], "")).format_map(two) in page
    first, second, third = (words["noise"] for words in three)
    noises = f"{first}, {second} or {third}"
    for words in three:
        told = (alike % (noises, " on ±1")).format_map(words)
        assert told[0].upper() + told[1:] in page


def test_results_of_digits_tell_the_settings_of_their_experiments() -> None:
    """The controls differ from the delayed one in what the page says, and in nothing else."""
    page = page_of_results("digits.md")
    delayed = compose("experiment=digits_grok")
    network, trainer = delayed["network"], delayed["trainer"]
    for told in (
        f"Networks 64-{'-'.join(map(str, network['hidden']))}-10 in single precision",
        f"learn {delayed['data']['n']} of scikit-learn's",
        f"(`trainer.loss={trainer['loss']}`)",
        f"learning rate {trainer['learning_rate']:g} and decay {trainer['weight_decay']:g} on "
        f"weights and biases, {trainer['n_steps']:,} steps",
        f"`digits_grok` begins with {network['init_scale']:g} times torch's",
        f"{delayed['analysis']['n']} segments between training points with equal labels",
    ):
        assert told in page, told
    for name, changed in {
        "digits": ("network", "init_scale", 1.0),
        "digits_memorise": ("trainer", "weight_decay", 0.0),
        "digits_random_labels": ("data", "random_labels", True),
    }.items():
        group, key, value = changed
        control = compose(f"experiment={name}")
        assert control[group].pop(key) == value
        for each in ("data", "network", "trainer", "analysis"):
            expected = {k: v for k, v in delayed[each].items() if (each, k) != (group, key)}
            assert control[each] == expected


def test_results_of_regressions_tell_the_settings_of_their_experiments() -> None:
    page = page_of_results("regression.md")
    first, second = words_for("regression"), words_for("regression_decline")
    for row, key in (("initialisation", "initialisation"), ("decay, on {decaying}", "decay"),
                     ("domain", "domain")):  # fmt: skip
        assert f"| {row.format_map(first)} | {first[key]} | {second[key]} |" in page
    assert f"| target | {first['target']}" in page
    assert f"| {second['target']} | | initialisation" in page
    assert first["decaying"] == second["decaying"]
    for words in (first, second):
        both = (
            "| both | networks {network} in {precision}, {points} uniform on [-1, 1]², {loss}, "
            "{rate}, {steps} |"
        )
        assert both.format_map(words) in page
    for experiment in ("regression", "regression_decline"):
        assert compose(f"experiment={experiment}")["analysis"]["name"] == "homology"


def test_the_command_line_wins_over_experiments() -> None:
    regression = ["experiment=regression", "analysis=partition"]
    values = compose(*regression, "domain=around_data", "domain.margin=0.5")
    assert values["domain"] == {"name": "around_data", "margin": 0.5}
    assert values["analysis"]["name"] == "partition"
    values = compose(*regression, "domain.low=[-1,-2]")
    assert values["domain"] == {"name": "box", "low": [-1, -2], "high": 5}
    assert compose()["analysis"]["name"] == "partition"


def test_the_seed_reaches_the_data_and_choices_win_over_experiments() -> None:
    values = compose("experiment=two_moons", "data=two_circles", "seed=7", "trainer.n_steps=10")
    assert values["data"]["name"] == "two_circles"
    assert values["data"]["seed"] == 7
    assert values["trainer"]["n_steps"] == 10


def refusal(*overrides: str) -> str:
    """Return what is said of a command that cannot be."""
    with pytest.raises(EXPECTED) as caught:
        compose(*overrides)
    return explain(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sead=1", "`sead` is not a key; did you mean seed?; choose one of analysis, "),
        ("adjacency=facet", "did you mean analysis.adjacency?"),
        ("analysis=topology", "analysis=topology does not exist; did you mean homology?; choose "),
        ("signature=betti_peek", "signature=betti_peek does not exist; did you mean betti_peaks?"),
        ("trainer.n_step=3", "`trainer.n_step` is not a key; did you mean trainer.n_steps?"),
        ("eigensolver.tolerance=1", "eigensolver.max_iterations, eigensolver.n_threads, "),
        ("eigensolver=arnoldi", "eigensolver=arnoldi does not exist; choose one of amg_lobpcg"),
        ("experiment=two_moon", "did you mean two_moons?"),
        ("trainer.n_steps=many", "`trainer.n_steps`: Value 'many' of type 'str' could not be"),
        ("seed=0.5", "`seed`: Value '0.5' of type 'float' could not be converted to Integer"),
        ("network.hidden=[3,x]", "`network.hidden[1]`: Value 'x'"),
        ("eigensolver.tol=small", "`eigensolver.tol`: Value 'small'"),
        ("analysis.adjacency=facets", "expected one of [facet, hamming]"),
        ("figures=3.5", "`figures`: Value '3.5'"),
        ("n_filtrations=3", "did you mean analysis.n_filtrations with analysis=homology?"),
        ("analysis.n_filtrations=3", "did you mean analysis.n_filtrations with analysis=homology"),
        ("analysis.n=20", "did you mean analysis.n with analysis=paths?"),  # though there is data.n
        ("network.path=a.pt", "did you mean network.path with network=file?"),
        ("signature=[nope]", "signature=nope does not exist; choose one of betti_peaks"),
        ("lr=0.1", "`lr` is not a key; did you mean trainer.learning_rate?; choose one of "),
        ("margin=0.5", "`margin` is not a key; did you mean domain.margin?; choose one of "),
        ("learning_rate=1", "did you mean trainer.learning_rate?"),
        ("domain=boxes", "did you mean box?"),
        ("domain.low=-5", "choose one of domain.margin, domain.name"),
        ("domain.margin=wide", "`domain.margin`: Value 'wide'"),
        ("network.hidden=8", "`network.hidden` must be a list, got one value (int); write it in"),
        ("seed=range(5", "'seed=range(5' cannot be read as key=value (no viable alternative"),
        (
            "summarise",
            "'summarise' must be key=value; did you mean relutopo summarize, as the first word?",
        ),
        ("help", "'help' must be key=value; `relutopo --help` shows all keys"),
        ("three_rings", "'three_rings' must be key=value; did you mean experiment=three_rings?"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(override: str, message: str) -> None:
    assert message in refusal(override)


@pytest.mark.parametrize(
    "value", ["[-5,5]", "null", "3", "-0.5", "inf", "NaN", "", "true", "{low:1}"]
)
def test_a_group_takes_the_name_of_a_choice(value: str) -> None:
    groups = resolvers.choices()
    with pytest.raises(InputError, match="`domain` must be the name of a choice, got") as caught:
        refuse_values_of_groups(["seed=0", f"domain={value}"], groups)
    assert "choose one of around_data, box, " in str(caught.value)
    with pytest.raises(InputError, match="`domain` must be the name of a choice, got"):
        refuse_values_of_groups([f"+domain={value}"], groups)
    with pytest.raises(InputError, match="`hydra/launcher` must be the name of a choice, got"):
        refuse_values_of_groups([f"hydra/launcher={value}"], groups)
    refuse_values_of_groups(["domain=box,null_space", f"seed={value}"], groups)


@pytest.mark.parametrize(
    ("choice", "key"),
    [
        ("eigensolver=other", "eigensolver.name"),
        ("domain=box", "domain.low"),
        ("domain=slice_through", "domain.points"),
        ("experiment=inspect", "data.path"),
    ],
)
def test_a_key_without_a_value_is_named(choice: str, key: str) -> None:
    config = hydra.compose("config", overrides=[choice])
    with pytest.raises(EXPECTED) as caught:
        resolvers.plain(config)
    assert f"`{key}` has no value; add {key}=<value>" in explain(caught.value)


def test_yaml_files_and_constructors_have_the_same_defaults() -> None:
    for role in registry.roles():
        for name in registry.built_in(role):
            if (CONF / role / f"{name}.yaml").is_file():
                node = OmegaConf.structured(schema.schema_of_choice(role, name))
                of_yaml = OmegaConf.load(CONF / role / f"{name}.yaml")
                for key in set(of_yaml) & set(node) - {"seed", "points", "path", "low", "high"}:
                    default = getattr(node[key], "name", node[key])  # of what can be chosen
                    assert of_yaml[key] == default, f"{role}={name}: {key}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_key_is_explained(path: Path) -> None:
    """A key has a comment on its line, above it, or above the block that it begins."""
    lines = (CONF / path).read_text().splitlines()
    keys = [i for i, line in enumerate(lines) if line[:1].isalpha()]
    if path.parts[0] == "experiment":  # its keys are explained where they are defined
        assert lines[0] == "# @package _global_"
        assert lines[1].startswith("# ")
        return
    for i in keys:
        if lines[i].startswith("hydra:"):  # Hydra's own
            break
        assert "#" in lines[i] or (i and lines[i - 1].startswith("#")), lines[i]


def test_the_default_is_two_moons() -> None:
    config = hydra.compose("config", return_hydra_config=True)
    assert isinstance(config, DictConfig)
    assert config.hydra.runtime.choices["experiment"] == "two_moons"
    assert config.hydra.job.chdir is False
