// Shift register that carries "valid" beside a pipeline of LATENCY registers.
//
// The pipeline itself has neither reset nor stall: it moves one event a clock, for ever. This
// register says which of its outputs belong to an event.
//
//   LATENCY    registers between the two ends, at least 1
//   rst        synchronous, active high: forgets every event in flight, in one clock
//   in_valid   high: the data beside it are an event, taken at the next rising edge
//   out_valid  high: the data that leave the pipeline are that event
//
// Verilog-2001.

`timescale 1 ns / 1 ps
`default_nettype none

module trigger_ml_valid_pipeline #(
    parameter integer LATENCY = 1
) (
    input  wire clk,
    input  wire rst,
    input  wire in_valid,
    output wire out_valid
);

    reg  [LATENCY-1:0] valid;
    wire [LATENCY-1:0] next;

    // Nothing is valid after configuration, with or without a reset.
    initial valid = {LATENCY{1'b0}};

    generate
        if (LATENCY == 1) begin : one_register
            assign next = in_valid;
        end else begin : many_registers
            assign next = {valid[LATENCY-2:0], in_valid};
        end
    endgenerate

    always @(posedge clk) begin
        if (rst) begin
            valid <= {LATENCY{1'b0}};
        end else begin
            valid <= next;
        end
    end

    assign out_valid = valid[LATENCY-1];

endmodule

`default_nettype wire
