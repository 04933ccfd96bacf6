// Data that waits CLOCKS clocks beside a pipeline. No reset.
//
//   BITS     of the data
//   CLOCKS   registers, at least 1
//
// Verilog-2001.

`timescale 1 ns / 1 ps
`default_nettype none

module trigger_ml_stream_delay #(
    parameter integer BITS = 1,
    parameter integer CLOCKS = 1
) (
    input  wire            clk,
    input  wire [BITS-1:0] data,
    output wire [BITS-1:0] delayed
);

    reg [BITS*CLOCKS-1:0] passed;
    wire [BITS*(CLOCKS+1)-1:0] next = {passed, data};

    assign delayed = passed[BITS*CLOCKS-1:BITS*(CLOCKS-1)];

    always @(posedge clk) begin
        passed <= next[BITS*CLOCKS-1:0];
    end

endmodule

`default_nettype wire
