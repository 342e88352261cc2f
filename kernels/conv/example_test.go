package conv_test

import (
	"fmt"

	"syntic/kernels/conv"
	"syntic/kernels/isa"
	"syntic/kernels/par"
)

// A 2x2 mean as a convolution of one channel.
func ExampleOp() {
	pool := par.New(1)
	defer pool.Close()
	op := conv.New(conv.For(isa.Portable), pool, conv.Spec{N: 1, H: 2, W: 4, C: 1, O: 1, KH: 2, KW: 2, StrideH: 2, StrideW: 2})
	w := op.Pack([]float32{0.25, 0.25, 0.25, 0.25})
	x := []float32{1, 3, 0, 8, 5, 7, 0, 0}
	y := make([]float32, 2)
	op.Run(y, x, w, nil, nil, nil, make([]float32, op.Workspace()))
	fmt.Println(op.Algorithm(), y)
	// Output: direct [4 2]
}
