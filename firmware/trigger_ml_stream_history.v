// The columns of earlier steps that a window still needs, below the columns of this step.
//
//   BITS     of the columns that a step brings
//   KEPT     bits kept of earlier steps, at least 1
//   step     high: these columns are new; they become history at the next rising edge
//   window   {columns, history}: the oldest column lowest
//
// Data has no reset: taps that look across the border of an image are made zero where they are
// used. Verilog-2001.

`timescale 1 ns / 1 ps
`default_nettype none

module trigger_ml_stream_history #(
    parameter integer BITS = 1,
    parameter integer KEPT = 1
) (
    input  wire                 clk,
    input  wire                 step,
    input  wire [     BITS-1:0] columns,
    output wire [BITS+KEPT-1:0] window
);

    reg [KEPT-1:0] history;

    assign window = {columns, history};

    always @(posedge clk) begin
        if (step) begin
            history <= window[BITS+KEPT-1:BITS];
        end
    end

endmodule

`default_nettype wire
