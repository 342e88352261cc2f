package attn_test

import (
	"fmt"

	"syntic/kernels/attn"
	"syntic/kernels/isa"
	"syntic/kernels/par"
)

// One query, two keys, and a cache with room for three.
func Example() {
	pool := par.New(1)
	defer pool.Close()
	o := attn.New(attn.For(isa.Portable), pool, attn.Spec{B: 1, H: 1, LQ: 1, LK: 3, D: 2, Scale: 1})
	q := []float32{1, 0}
	k := []float32{5, 1, 5, 2, 0, 0}
	v := []float32{1, 10, 3, 20, 0, 0}
	dst := make([]float32, 2)
	o.Run(dst, q, k, v, nil, 2, make([]float32, o.Workspace()))
	fmt.Println(dst)
	// Output: [2 15]
}
