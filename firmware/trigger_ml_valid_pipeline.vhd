-- Shift register that carries "valid" beside a pipeline of LATENCY registers.
--
-- The pipeline itself has neither reset nor stall: it moves one event a clock, for ever. This
-- register says which of its outputs belong to an event.
--
--   LATENCY    registers between the two ends, at least 1
--   rst        synchronous, active high: forgets every event in flight, in one clock
--   in_valid   high: the data beside it are an event, taken at the next rising edge
--   out_valid  high: the data that leave the pipeline are that event
--
-- VHDL-2008; nothing here is newer than VHDL-93.

library ieee;
use ieee.std_logic_1164.all;

entity trigger_ml_valid_pipeline is
    generic (
        LATENCY : positive := 1
    );
    port (
        clk       : in  std_logic;
        rst       : in  std_logic;
        in_valid  : in  std_logic;
        out_valid : out std_logic
    );
end entity trigger_ml_valid_pipeline;

architecture rtl of trigger_ml_valid_pipeline is

    -- Nothing is valid after configuration, with or without a reset.
    signal valid : std_logic_vector(LATENCY downto 1) := (others => '0');

begin

    shift : process (clk) is
    begin
        if rising_edge(clk) then
            valid(1) <= in_valid;
            for stage in 2 to LATENCY loop
                valid(stage) <= valid(stage - 1);
            end loop;
            if rst = '1' then
                valid <= (others => '0');
            end if;
        end if;
    end process shift;

    out_valid <= valid(LATENCY);

end architecture rtl;
