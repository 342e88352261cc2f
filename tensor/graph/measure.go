package graph

// Need is what a program takes, known before its weights are read.
type Need struct {
	Arena   int            // bytes of activations, with the steps' temporary memory
	Weights map[any]int    // bytes by packed form; programs of a device share forms
	States  map[*State]int // bytes
	FLOPs   float64        // of a run
}

// Measure returns what Build would take, without building.
func Measure(d Device, record func(*Builder)) (Need, error) {
	p, steps, err := prepare(d, record, nil)
	if err != nil {
		return Need{}, err
	}
	n := Need{Arena: 4 * p.Arena, Weights: map[any]int{}, States: map[*State]int{}, FLOPs: p.FLOPs}
	for _, s := range steps {
		for _, w := range s.Packed() {
			n.Weights[w.Form] = w.Bytes
		}
	}
	for _, op := range p.Ops {
		for _, in := range op.In {
			if in != nil && in.Root().Role == StateRole {
				n.States[in.Root().State] = 4 * in.Root().Floats()
			}
		}
	}
	return n, nil
}

// Bytes returns the memory of several programs that are ready at once.
func Bytes(needs ...Need) int {
	total, weights, states := 0, map[any]int{}, map[*State]int{}
	for _, n := range needs {
		total += n.Arena
		for form, size := range n.Weights {
			weights[form] = size
		}
		for s, size := range n.States {
			states[s] = size
		}
	}
	for _, size := range weights {
		total += size
	}
	for _, size := range states {
		total += size
	}
	return total
}

// flops counts the operations of products, the rest of a model being next to
// nothing.
func (o *Op) flops() float64 {
	product := func(n ...int) float64 {
		f := 2.0
		for _, v := range n {
			f *= float64(v)
		}
		return f
	}
	switch a := o.Attr.(type) {
	case *LinearOp:
		return product(a.M, a.K, a.N)
	case *MatMulOp:
		return product(a.Batch, a.M, a.K, a.N)
	case *ConvOp:
		return product(a.N, a.OutH, a.OutW, a.O, a.C/a.Groups, a.KH, a.KW)
	case *AttentionOp:
		return 2 * product(a.B, a.Heads, a.LQ, a.LK, a.D)
	case *RowDotsOp:
		return product(a.B, a.M, a.D)
	case *RowSumOp:
		return product(a.B, a.M, a.D)
	}
	return 0
}
