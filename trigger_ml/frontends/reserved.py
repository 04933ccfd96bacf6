"""Words that no module of firmware can be called."""

from __future__ import annotations

from typing import Final

__all__ = ["TAKEN_WORDS"]

WORDS: Final = {
    "C++, and what hls4ml calls things in it": """
main input output model class int float double auto bool break case catch char const continue
default delete do else enum explicit export extern false for friend goto if inline long namespace
new operator private protected public register return short signed sizeof static struct switch
template this throw true try typedef union unsigned using virtual void volatile while
""",
    "SystemVerilog, IEEE 1800-2017 table B.1, those that are likely as names": """
alias always and assert assign automatic begin bind bit buf byte cell checker clocking cross
design disable edge end endmodule event expect final first_match force forever fork function
generate global include initial inout instance interface join large library local logic matches
medium module nand negedge nor not or output package packed parameter posedge primitive priority
program property pull pure rand real ref reg release repeat scalared sequence small solve specify
string strong super supply table tagged task time timeprecision timeunit tri type unique var
vectored wait weak wildcard wire with within xnor xor
""",
    "VHDL, IEEE 1076-2008 15.10": """
abs access after all architecture array attribute block body buffer bus component configuration
constant context disconnect downto elsif entity exit file generic group guarded impure in is label
linkage literal loop map mod next null of on open others out port postponed procedure process
protected range record reject rem report rol ror select severity shared signal sla sll sra srl
subtype then to transport unaffected units until variable when
""",
}
TAKEN_WORDS: Final = frozenset(word for words in WORDS.values() for word in words.split())
"""Names that a module cannot have in one of the languages."""
