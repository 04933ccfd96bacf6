"""What is simulated: the physics settings of a jet sample, and the PYTHIA lines they mean.

W and Z come from the decay of a scalar of 2 TeV (``HiggsSM:gg2H`` with a forced mass), so
they are longitudinally polarised and both quarks are rarely soft: with transverse bosons from
``f fbar -> V V`` 18 % of them lose a prong to grooming. Gluons and light quarks come from QCD
2 -> 2, tops from pair production. All bosons decay to quarks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.tasks.jets.names import CLASSES

__all__ = ["Settings", "pythia_lines"]

_QUARKS = "1 2 3 4 5"
_PROCESSES = {
    "g": ("HardQCD:gg2gg = on", "HardQCD:qqbar2gg = on"),
    "q": (
        "HardQCD:qq2qq = on",
        "HardQCD:gg2qqbar = on",
        "HardQCD:qqbar2qqbarNew = on",
        "HardQCD:nQuarkNew = 3",
    ),
    "t": ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on"),
}
_BOSONS = {"w": 24, "z": 23}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings a sample is made with; every one is in its data card.

    The same jet-pT window holds for all classes: otherwise mass and C1 would tell the class
    through the pT spectrum. pT, energies and masses in GeV.
    """

    energy_gev: float = 13000.0
    parton_pt_min_gev: float = 990.0
    parton_pt_max_gev: float = 1010.0
    jet_pt_min_gev: float = 850.0
    jet_pt_max_gev: float = 1150.0
    jet_eta_max: float = 2.5
    radius: float = 0.8
    match_radius: float = 0.4
    particle_pt_min_gev: float = 0.5
    particle_eta_max: float = 4.0
    multiparton_interactions: bool = True
    initial_state_radiation: bool = True

    def __post_init__(self) -> None:
        blockers = [
            Blocker(name, f"must be a finite number above 0, found {value!r}")
            for name, value in asdict(self).items()
            if not isinstance(value, bool) and not 0.0 < value < float("inf")
        ]
        for name in ("parton_pt", "jet_pt"):
            low, high = getattr(self, f"{name}_min_gev"), getattr(self, f"{name}_max_gev")
            if not low < high:
                blockers.append(Blocker(name, f"the window must not be empty, found {low}-{high}"))
        if blockers:
            raise ConfigError(blockers)


def pythia_lines(kind: str, seed: int, settings: Settings) -> tuple[str, ...]:
    """The PYTHIA settings for one class: PYTHIA's default tune (Monash 2013), 13 TeV pp.

    Particles with a proper lifetime above 10 mm/c stay undecayed, as LHC experiments define
    the final state.
    """
    if kind not in CLASSES:
        raise ConfigError(Blocker("class", f"must be one of {', '.join(CLASSES)}, found {kind!r}"))
    onoff = {True: "on", False: "off"}
    common = (
        "Print:quiet = on",
        "Random:setSeed = on",
        f"Random:seed = {seed}",
        f"Beams:eCM = {settings.energy_gev}",
        f"PhaseSpace:pTHatMin = {settings.parton_pt_min_gev}",
        f"PhaseSpace:pTHatMax = {settings.parton_pt_max_gev}",
        f"PartonLevel:MPI = {onoff[settings.multiparton_interactions]}",
        f"PartonLevel:ISR = {onoff[settings.initial_state_radiation]}",
        "ParticleDecays:limitTau0 = on",
        "ParticleDecays:tau0Max = 10.",
        "24:onMode = off",
        f"24:onIfAny = {_QUARKS}",
        "23:onMode = off",
        f"23:onIfAny = {_QUARKS}",
    )
    if kind in _BOSONS:
        return common + _scalar_lines(_BOSONS[kind], settings)
    return common + _PROCESSES[kind]


def _scalar_lines(boson: int, settings: Settings) -> tuple[str, ...]:
    """A scalar just heavy enough that its bosons, emitted sideways, reach the pT window."""
    low = 2.0 * settings.parton_pt_min_gev
    return (
        "HiggsSM:gg2H = on",
        f"25:m0 = {low + 50.0}",
        f"25:mMin = {low + 10.0}",
        f"25:mMax = {low + 90.0}",
        "25:doForceWidth = on",
        "25:mWidth = 20.",
        "25:onMode = off",
        f"25:onIfAny = {boson}",
    )
