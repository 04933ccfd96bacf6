// A tag that travels beside a pipeline: at[c] is the tag c clocks ago.
//
//   CLOCKS   registers, at least 1
//   rst      synchronous, active high: forgets every tag in flight, in one clock
//
// Verilog-2001.

`timescale 1 ns / 1 ps
`default_nettype none

module trigger_ml_stream_tag #(
    parameter integer CLOCKS = 1
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              tag,
    output wire [CLOCKS:0]   at
);

    reg [CLOCKS-1:0] passed;

    assign at = {passed, tag};

    initial passed = {CLOCKS{1'b0}};

    always @(posedge clk) begin
        if (rst) begin
            passed <= {CLOCKS{1'b0}};
        end else begin
            passed <= at[CLOCKS-1:0];
        end
    end

endmodule

`default_nettype wire
