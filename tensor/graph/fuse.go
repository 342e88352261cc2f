package graph

// fuse merges what a layer didn't ask for: a sum or an activation that follows
// a Linear or Conv2D and is its only reader. It then drops operations whose
// results nothing reads.
func fuse(ops []*Op) []*Op {
	uses := countUses(ops)
	index := make(map[*Node]int, len(ops)) // which operation makes a node
	for i, op := range ops {
		index[op.Out] = i
	}
	for i, op := range ops {
		var prev *Op
		switch a := op.Attr.(type) {
		case *BinaryOp:
			prev = fuseResidual(op, a, uses, index)
		case *UnaryOp:
			prev = fuseAct(op, a, uses)
		}
		if prev == nil {
			continue
		}
		// The earlier operation now makes this one's result.
		old := prev.Out
		prev.Out = op.Out
		prev.Out.Op = prev
		delete(uses, old)
		index[op.Out] = index[old]
		ops[i] = nil
	}
	return live(ops)
}

func countUses(ops []*Op) map[*Node]int {
	uses := make(map[*Node]int)
	for _, op := range ops {
		for _, n := range op.In {
			for ; n != nil; n = n.alias { // reading a view reads what it views
				uses[n]++
			}
		}
	}
	return uses
}

// single returns the operation that makes n when n is read exactly once, isn't
// an output and isn't a view.
func single(n *Node, uses map[*Node]int) *Op {
	if n == nil || n.Role != Temp || n.kept || n.alias != nil || n.Op == nil || uses[n] != 1 {
		return nil
	}
	return n.Op
}

// fuseResidual turns Linear(x) + y into Linear(x, Residual: y) where y exists
// before the Linear runs.
func fuseResidual(op *Op, a *BinaryOp, uses map[*Node]int, index map[*Node]int) *Op {
	if a.Arith != Add || !op.In[0].Shape.Equal(op.In[1].Shape) {
		return nil
	}
	for side := range 2 {
		prev, other := single(op.In[side], uses), op.In[1-side]
		if prev == nil || other.Role == Weight || other.Role == Const || other.Root().Role == StateRole {
			continue // a state may change between the two operations
		}
		if r := other.Root(); r.Op != nil && index[r] > index[prev.Out] {
			continue
		}
		if act, residual := epilogue(prev); act != nil && *act == 0 && *residual == nil {
			*residual = other
			return prev
		}
	}
	return nil
}

func fuseAct(op *Op, a *UnaryOp, uses map[*Node]int) *Op {
	prev := single(op.In[0], uses)
	if prev == nil || a.Scale != 1 {
		return nil
	}
	if act, _ := epilogue(prev); act != nil && *act == 0 {
		*act = a.Act
		return prev
	}
	return nil
}

// epilogue returns where an operation keeps its activation and residual; nil
// when it has no epilogue.
func epilogue(op *Op) (act *Act, residual **Node) {
	switch a := op.Attr.(type) {
	case *LinearOp:
		return &a.Act, &op.In[3]
	case *ConvOp:
		return &a.Act, &op.In[3]
	}
	return nil, nil
}

// live keeps the operations that outputs or states depend on, in order.
func live(ops []*Op) []*Op {
	needed := make(map[*Node]bool)
	keep := make([]bool, len(ops))
	for i := len(ops) - 1; i >= 0; i-- {
		op := ops[i]
		if op == nil {
			continue
		}
		keep[i] = op.Out.kept || needed[op.Out] || op.Out.Root().Role == StateRole
		if !keep[i] {
			continue
		}
		for _, n := range op.In {
			for ; n != nil; n = n.alias {
				needed[n] = true
			}
		}
	}
	var out []*Op
	for i, op := range ops {
		if op != nil && keep[i] {
			out = append(out, op)
		}
	}
	return out
}
