// Framing of a stream of images: which clock brings a group of columns, and which one.
//
// An image is GROUPS groups of columns. Groups may come back to back, image after image without a
// gap, or with idle clocks anywhere. The columns that a convolution still holds when an image ends
// leave with the steps that follow: those are the next image's groups, or empty steps that this
// module puts into idle clocks between images.
//
//   GROUPS     groups of an image
//   FLUSH      steps after an image's last group until its last column has left
//   BITS       bits of the group counter: 2**BITS >= GROUPS
//   in_valid   high: a group is taken at the next rising edge
//   in_start   high with in_valid: it is an image's first group
//   step       high: a group, or an empty step, stands in the input register
//   real_group, first, last   of that step: it is a group; the image's first; its last
//   error      high for one clock: a group came without a start and was dropped, or a start came
//              within an image, which was given up
//
// rst is synchronous and active high; after it the stream waits for a start. Verilog-2001.

`timescale 1 ns / 1 ps
`default_nettype none

module trigger_ml_stream_frame #(
    parameter integer GROUPS = 1,
    parameter integer FLUSH = 0,
    parameter integer BITS = 1,
    parameter integer FLUSH_BITS = 1
) (
    input  wire clk,
    input  wire rst,
    input  wire in_valid,
    input  wire in_start,
    output reg  step,
    output reg  real_group,
    output reg  first,
    output reg  last,
    output reg  error
);

    localparam [BITS-1:0] LAST_GROUP = GROUPS - 1;
    localparam [FLUSH_BITS-1:0] OWED_AFTER_IMAGE = FLUSH;

    reg                   started;  // an image has begun and is not complete
    reg  [      BITS-1:0] index;   // of the group that is expected
    reg  [FLUSH_BITS-1:0] owed;    // steps that the last image still needs

    wire take = in_valid & (in_start | started);
    wire [BITS-1:0] taken = in_start ? {BITS{1'b0}} : index;
    wire ends = take & (taken == LAST_GROUP);
    wire empty = ~take & ~started & (owed != 0);

    initial begin
        step = 1'b0;
        real_group = 1'b0;
        first = 1'b0;
        last = 1'b0;
        error = 1'b0;
        started = 1'b0;
        index = {BITS{1'b0}};
        owed = {FLUSH_BITS{1'b0}};
    end

    always @(posedge clk) begin
        if (rst) begin
            step <= 1'b0;
            real_group <= 1'b0;
            first <= 1'b0;
            last <= 1'b0;
            error <= 1'b0;
            started <= 1'b0;
            index <= {BITS{1'b0}};
            owed <= {FLUSH_BITS{1'b0}};
        end else begin
            step <= take | empty;
            real_group <= take;
            first <= take & in_start;
            last <= ends;
            error <= in_valid & (in_start ? started : ~started);
            if (take) begin
                started <= ~ends;
                index <= taken + 1'b1;
            end
            if (ends) begin
                owed <= OWED_AFTER_IMAGE;
            end else if ((take | empty) & (owed != 0)) begin
                owed <= owed - 1'b1;
            end
        end
    end

endmodule

`default_nettype wire
