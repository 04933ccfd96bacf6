"""Programs with the names of vendor tools that copy reports where the real ones write them."""

from pathlib import Path

VENDOR = Path(__file__).parents[1] / "data" / "vendor"

VIVADO = """\
#!/bin/sh
# Takes the script after -source, and like Vivado fails where a source is missing.
while [ "$1" != -source ]; do shift; done
echo "****** Vivado v2023.2 (64-bit)"
folder=$(dirname "$2")
for name in $(sed -n 's/^read_verilog.*\\[file join $rtl \\(.*\\)\\]$/\\1/p' "$2"); do
    [ -f "$folder/rtl/$name" ] || { echo "ERROR: [Common 17-55] $name"; exit 1; }
done
grep -q 'synth_design -mode out_of_context -top tagger -part xcvu13p-flga2577-2-e' "$2" || exit 3
for name in $(sed -n 's/^report_.*-file //p' "$2"); do
    cp "REPORTS/$name" "$name"
done
"""

HLS = """\
#!/bin/sh
echo "INFO: [HLS 200-10] $(basename "$0") $*" | tee called.txt
[ -f build_prj.tcl ] && grep -q 'synth 1' build_opt.tcl && grep -q 'csim 0' build_opt.tcl || exit 1
mkdir -p tagger_prj/solution1/syn/report
cp "REPORTS/csynth.xml" tagger_prj/solution1/syn/report/tagger_csynth.xml
"""


def install(folder: Path, name: str, text: str) -> None:
    """Put a program into a folder that a test puts on PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def install_vivado(folder: Path) -> None:
    install(folder, "vivado", VIVADO.replace("REPORTS", str(VENDOR / "vivado_2023.2")))


def install_hls(folder: Path, name: str) -> None:
    install(folder, name, HLS.replace("REPORTS", str(VENDOR / "vitis_hls_2022.2")))
