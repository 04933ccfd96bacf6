// A tag counted in steps: since[k] is the tag of k steps ago. A step is a clock with step high;
// with step tied high, the tag travels beside a pipeline, a clock at a time.
//
//   STEPS    registers, at least 1
//   rst      synchronous, active high: forgets every tag in flight, in one clock
//
// Verilog-2001.

`timescale 1 ns / 1 ps
`default_nettype none

module trigger_ml_stream_since #(
    parameter integer STEPS = 1
) (
    input  wire           clk,
    input  wire           rst,
    input  wire           step,
    input  wire           tag,
    output wire [STEPS:0] since
);

    reg [STEPS-1:0] passed;

    assign since = {passed, tag};

    initial passed = {STEPS{1'b0}};

    always @(posedge clk) begin
        if (rst) begin
            passed <= {STEPS{1'b0}};
        end else if (step) begin
            passed <= since[STEPS-1:0];
        end
    end

endmodule

`default_nettype wire
