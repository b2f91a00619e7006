"""The stubs name what the compiled module has, and nothing else."""

import ast
import inspect
from pathlib import Path

import expnet
from expnet import _core


def names(body):
    """The classes, functions and properties of a stub, with the members of classes."""
    found = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = names(node.body)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
            found[node.name] = [argument.arg for argument in node.args.args + node.args.kwonlyargs if argument.arg != "self"]
    return found


def public(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def test_stubs():
    stubs = names(ast.parse(Path(expnet.__file__).with_name("_core.pyi").read_text()).body)
    assert set(stubs) == public(_core)
    for name, members in stubs.items():
        thing = getattr(_core, name)
        if not inspect.isclass(thing):
            assert list(inspect.signature(thing).parameters) == members, name
            continue
        assert set(members) == public(thing), name
        for member, arguments in members.items():
            function = getattr(thing, member)
            if callable(function) and "settings" not in arguments and member != "fit":
                found = [argument for argument in inspect.signature(function).parameters if argument != "self"]
                assert found == arguments, f"{name}.{member}"


def test_everything_is_documented():
    for name in expnet.__all__:
        assert inspect.getdoc(getattr(expnet, name)), name
    for module in (expnet.schedules, expnet.methods):
        assert all(inspect.getdoc(getattr(module, name)) for name in module.__all__)
