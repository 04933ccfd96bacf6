"""PYTHIA 8 events and FastJet jets: the physics of the sample, one class at a time.

Nothing here writes a file or knows of chunks. ``pythia8mc``, ``fastjet`` and ``awkward`` are
imported here and in :mod:`trigger_ml.tasks.jets.features` alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import awkward as ak
import fastjet
import numpy as np
import pythia8mc
import vector
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError, ToolFailedError
from trigger_ml.tasks.jets.features import Particles, high_level_features
from trigger_ml.tasks.jets.names import CONSTITUENTS
from trigger_ml.tasks.jets.settings import Settings, pythia_lines

__all__ = ["Jets", "simulate"]

_FEWEST_EVENTS, _MOST_EVENTS = 5, 50
"""Events per batch. They come one after the other, so that batches do not change the jets."""

_TRIAL_EVENTS, _LEAST_YIELD = 400, 0.02
"""Give up after so many events with fewer jets per event: the settings cannot be meant."""

_HARD_PARTICLES = {"g": (21,), "q": (1, 2, 3), "w": (24,), "z": (23,), "t": (6,)}
_NEUTRINOS = (12, 14, 16)


@dataclass(frozen=True, slots=True)
class Jets:
    """Jets of one class.

    features: (n, 16) float32, columns as in ``names.FEATURES``.
    constituents: (n, 64, 3) float32, hardest first, columns as in ``names.CONSTITUENT_COLUMNS``.
    kinematics: (n, 4) float32, columns as in ``names.KINEMATICS``.
    event: (n,) int64, which simulated event of this chunk a jet comes from (two jets of one
        event belong on the same side of a train/test split).
    """

    features: NDArray[np.float32]
    constituents: NDArray[np.float32]
    kinematics: NDArray[np.float32]
    event: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.features)


class _BosonWindow(pythia8mc.UserHooks):  # type: ignore[misc]
    """Keep H -> V V only where V leaves with a pT inside the hard-process window.

    A 2 -> 1 process knows no pTHat cut, so the two bosons (entries 6 and 7 of the process
    record, back to back in pT) are cut here, before any shower is paid for.
    """

    def __init__(self, low_gev: float, high_gev: float) -> None:
        super().__init__()
        self.low_gev, self.high_gev = low_gev, high_gev

    def canVetoProcessLevel(self) -> bool:
        return True

    def doVetoProcessLevel(self, process: Any) -> bool:
        return not self.low_gev < process[6].pT() < self.high_gev


def simulate(kind: str, count: int, seed: int, settings: Settings) -> Jets:
    """Exactly ``count`` jets of one class; the same arguments give the same jets.

    kind: one of ``names.CLASSES``. seed: 1 to 900,000,000 (PYTHIA's range).

    Raises ToolFailedError when PYTHIA refuses a setting or cannot start, ConfigError when next
    to no jet passes the selection.
    """
    generator = _generator(kind, seed, settings)
    parts: list[Jets] = []
    done = events = 0
    while done < count:
        batch = min(_MOST_EVENTS, max(_FEWEST_EVENTS, math.ceil(0.65 * (count - done))))
        part = _jets(generator.nextBatch(batch).prt, kind, settings, events)
        parts.append(part)
        done, events = done + len(part), events + batch
        if events >= _TRIAL_EVENTS and done < _LEAST_YIELD * events:
            what = f"only {done} jets of class {kind} in {events} events pass the selection"
            raise ConfigError(Blocker("settings", what, "match the jet and parton pT windows"))
    return Jets(
        *(
            np.concatenate([getattr(part, name) for part in parts])[:count]
            for name in ("features", "constituents", "kinematics", "event")
        )
    )


def _generator(kind: str, seed: int, settings: Settings) -> Any:
    """PYTHIA, started."""
    vector.register_awkward()
    generator = pythia8mc.Pythia("", False)
    for line in pythia_lines(kind, seed, settings):
        if not generator.readString(line):
            raise ToolFailedError(f"PYTHIA does not accept the setting {line!r}")
    if kind in ("w", "z"):
        hook = _BosonWindow(settings.parton_pt_min_gev, settings.parton_pt_max_gev)
        generator.setUserHooksPtr(hook)
    if not generator.init():
        raise ToolFailedError(f"PYTHIA could not start for class {kind!r}")
    return generator


def _momenta(columns: Any, mask: Any) -> Any:
    momentum = columns.p[mask]
    return ak.zip(
        {"px": momentum.px, "py": momentum.py, "pz": momentum.pz, "E": momentum.e},
        with_name="Momentum4D",
    )


def _hard(particles: Any, kind: str) -> Any:
    """Outgoing particles of the hard process (|status| 21 to 29) of this class's kind."""
    species, status = abs(particles.id), abs(particles.status)
    wanted = ak.zeros_like(species) == 1
    for code in _HARD_PARTICLES[kind]:
        wanted = wanted | (species == code)
    return _momenta(particles, wanted & (status >= 22) & (status <= 29))


def _visible(particles: Any, settings: Settings) -> Any:
    species = abs(particles.id)
    final = particles.status > 0
    for code in _NEUTRINOS:
        final = final & (species != code)
    momentum = particles.p
    pt = np.hypot(momentum.px, momentum.py)
    central = abs(momentum.pz) < pt * np.sinh(settings.particle_eta_max)
    return _momenta(particles, final & (pt > settings.particle_pt_min_gev) & central)


def _jets(particles: Any, kind: str, settings: Settings, first_event: int) -> Jets:
    """Cluster a batch, keep the jets of the window that match their hard particle."""
    visible = _visible(particles, settings)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, settings.radius)
    cluster = fastjet.ClusterSequence(visible, definition)
    jets = cluster.inclusive_jets(min_pt=settings.jet_pt_min_gev)
    index = cluster.constituent_index(min_pt=settings.jet_pt_min_gev)
    hard = _hard(particles, kind)
    distance = ak.min(jets[:, :, None].deltaR(hard[:, None, :]), axis=-1)
    keep = ak.fill_none(distance < settings.match_radius, False)
    keep = keep & (jets.pt < settings.jet_pt_max_gev) & (abs(jets.eta) < settings.jet_eta_max)
    event = ak.local_index(jets.px, axis=0)
    event, _ = ak.broadcast_arrays(event, jets.px)
    chosen, chosen_event = ak.flatten(index[keep]), ak.to_numpy(ak.flatten(event[keep]))
    members = visible[chosen_event][chosen]
    return _columns(members, ak.flatten(jets[keep]), chosen_event + first_event)


def _columns(members: Any, jets: Any, event: NDArray[np.int64]) -> Jets:
    flat = ak.flatten(members)
    p4 = np.stack([ak.to_numpy(flat[name]) for name in ("px", "py", "pz", "E")], axis=1)
    counts = ak.to_numpy(ak.num(members)).astype(np.int64)
    kinematics = np.stack(
        [ak.to_numpy(value) for value in (jets.pt, jets.eta, jets.phi, jets.mass)], axis=1
    )
    whole = Particles(counts, p4.astype(np.float64))
    constituents = np.zeros((len(counts), CONSTITUENTS, 3), np.float32)
    for row, particles, axis in zip(constituents, whole.split(), kinematics, strict=True):
        leading = _relative(particles, axis)
        row[: len(leading)] = leading
    features = high_level_features(whole)
    return Jets(features, constituents, kinematics.astype(np.float32), event.astype(np.int64))


def _relative(p4: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """(at most 64, 3) pT, eta and phi relative to the jet, hardest first."""
    pt = np.hypot(p4[:, 0], p4[:, 1])
    order = np.argsort(-pt, kind="stable")[:CONSTITUENTS]
    pt, px, py, pz = pt[order], p4[order, 0], p4[order, 1], p4[order, 2]
    turn = np.arctan2(py, px) - axis[2]
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    return np.stack([pt, np.arcsinh(pz / pt) - axis[1], turn], axis=1)
