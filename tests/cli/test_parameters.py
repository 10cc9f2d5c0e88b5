from __future__ import annotations

from typing import Any

import pytest

from tunewright.cli.parameters import read_parameter, read_parameters
from tunewright.errors import InvalidSpace
from tunewright.space import Categorical, Float, Int


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("lr=1e-5..1e-1:log", "lr", Float(1e-5, 1e-1, scale="log")),
        ("lr=1e-5..1e-1", "lr", Float(1e-5, 1e-1)),
        ("layers=1..6", "layers", Int(1, 6)),
        ("layers = 1..6 ", "layers", Int(1, 6)),
        ("shift=-3..-1", "shift", Int(-3, -1)),
        ("shift=-.5..+.5", "shift", Float(-0.5, 0.5)),
        ("width=8..1024:log:default=64", "width", Int(8, 1024, scale="log", default=64)),
        ("width=8..1024:linear", "width", Int(8, 1024, scale="linear")),
        ("size=1e2..1e4:int", "size", Int(100, 10_000)),
        ("size=1..4:float", "size", Float(1, 4)),
        ("dropout=0.0..0.5:step=0.05", "dropout", Float(0.0, 0.5, step=0.05)),
        ("momentum=0..0.99:reverse_log", "momentum", Float(0, 0.99, scale="reverse_log")),
        ("momentum=0..0.9:when=opt == 'sgd' and lr > 0.1", "momentum", Float(0, 0.9, when="opt == 'sgd' and lr > 0.1")),
        ('m=0..0.9:default=0.5:when=opt == "a:b"', "m", Float(0, 0.9, default=0.5, when='opt == "a:b"')),
        ("opt=sgd,adam", "opt", Categorical(["sgd", "adam"])),
        ("opt=sgd,adam:default=adam", "opt", Categorical(["sgd", "adam"], default="adam")),
        ("opt=small,large:ordered", "opt", Categorical(["small", "large"], ordered=True)),
        ("depth=1,2,4,8", "depth", Categorical([1, 2, 4, 8], ordered=True)),
        ("depth=1,2,4,8:unordered", "depth", Categorical([1, 2, 4, 8])),
        ("flag=true,false", "flag", Categorical([True, False])),
        ('mixed="1",1,1.0,null', "mixed", Categorical(["1", 1, 1.0, None])),
        ('models="a,b","c:d", e f', "models", Categorical(["a,b", "c:d", "e f"])),
        ("val/loss=1..2", "val/loss", Int(1, 2)),
        ("epochs=10", "epochs", 10),
        ("rate=.5", "rate", 0.5),
        ("on=True", "on", True),
        ("data=../digits.csv", "data", "../digits.csv"),
        ('text=""', "text", ""),
        ("equation=a=b", "equation", "a=b"),
    ],
)
def test_a_parameter_is_read(text: str, name: str, expected: Any) -> None:
    found_name, found = read_parameter(text)
    assert found_name == name
    assert type(found) is type(expected)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr", "must be NAME=SPEC"),
        ("=1..2", "must be NAME=SPEC"),
        ("lr=", "must be NAME=SPEC"),
        ("lr=1..", "must have a number on both sides of the two dots; '1..' has not"),
        ("lr=..2", "must have a number on both sides"),
        ("lr=1..x", "must have a number on both sides"),
        ("lr=2..1", "must be greater than low"),
        ("lr=0..1.0:log", "must be greater than 0 with scale='log'"),
        ("lr=0..1:lgo", "unknown option 'lgo' (did you mean 'log'"),
        ("lr=0.1..1:log:linear", "must have one scale; got log and linear"),
        ("lr=0.1..1:log:log", "repeats the option 'log'"),
        ("lr=1..2:float:int", "must be one of float and int"),
        ("lr=1.5..2:int", "must have whole bounds with the option 'int'; got 1.5"),
        ("lr=1..2:step", "needs the option as step=VALUE"),
        ("lr=1..2:log=3", "has a value for the option 'log', which takes none"),
        ("lr=1..2:ordered", "a range of numbers always has an order"),
        ("lr=1..2:default=5", "default"),
        ("lr=1..2:when=", "has an empty condition after when="),
        ("opt=a,b:log", "can't have the option 'log', which is for a range"),
        ("opt=a,b:ordered:unordered", "must be one of ordered and unordered"),
        ("opt=a,,b", "has an empty value"),
        ("opt=a,a", "a"),
        ("opt=bert:base", "a colon in a value needs double quotes"),
        ("x=3:default=3", "is one fixed value and can't have the option 'default'"),
        ('opt="a,b', "has a double quote that is never closed"),
        ('opt="a"b,c', "has a text in quotes that is not valid"),
    ],
)
def test_a_bad_parameter_names_itself_and_the_rule(text: str, message: str) -> None:
    with pytest.raises(InvalidSpace) as caught:
        read_parameter(text)
    assert str(caught.value).startswith(f"-p {text}")
    assert message in str(caught.value)


def test_several_keep_their_order_and_differ_in_name() -> None:
    assert list(read_parameters(["b=1..2", "a=x,y"])) == ["b", "a"]
    with pytest.raises(InvalidSpace, match="repeats the parameter 'a'"):
        read_parameters(["a=1..2", "a=3"])
