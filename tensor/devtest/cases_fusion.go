package devtest

import (
	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

// fusionCases have what the peephole pass may merge and what it must not, and
// values that the plan may compute in place and that it must not.
func fusionCases() []testCase {
	var all []testCase
	// Each case gets x [n,5,24] and y, a product of x that nothing reads yet.
	add := func(name string, f func(m *maker, x, y graph.Value)) {
		all = append(all, testCase{name: "Fusion/" + name, tol: 3e-6, record: func(k *kit, b *graph.Builder) {
			m := &maker{k, b}
			x := k.in(b, "x", 5, 24)
			f(m, x, m.linear("w", x))
		}})
	}
	add("sum", func(m *maker, x, y graph.Value) { m.out("z", m.Add(x, y)) })
	add("sum, then activation", func(m *maker, x, y graph.Value) {
		m.out("z", m.Activate(m.mid(m.Add(y, x)), ref.SiLU))
	})
	add("activation, then sum", func(m *maker, x, y graph.Value) {
		m.out("z", m.Add(m.mid(m.Activate(y, ref.SiLU)), x))
	})
	add("two activations", func(m *maker, _, y graph.Value) {
		m.out("z", m.Activate(m.mid(m.Activate(y, ref.Tanh)), ref.SiLU))
	})
	add("two sums", func(m *maker, x, y graph.Value) {
		m.out("z", m.Add(m.mid(m.Add(y, x)), m.mid(m.Scale(x, 2))))
	})
	add("sum with itself", func(m *maker, _, y graph.Value) { m.out("z", m.Add(y, y)) })
	add("scaled", func(m *maker, _, y graph.Value) { m.out("z", m.Scale(y, 3)) })
	add("sum with a later value", func(m *maker, x, y graph.Value) { m.out("z", m.Add(y, m.mid(m.norm(x)))) })
	add("read twice", func(m *maker, x, y graph.Value) {
		m.out("z", m.Add(y, x))
		m.out("a", m.Activate(y, ref.ReLU))
	})
	add("an output, and read", func(m *maker, _, y graph.Value) {
		m.out("y", y)
		m.out("a", m.Activate(y, ref.ReLU))
	})
	add("a view is an output", func(m *maker, _, y graph.Value) {
		m.out("view", m.Reshape(y, m.k.n, 24, 5))
		m.out("a", m.Activate(y, ref.ReLU))
	})
	add("only a view is an output", func(m *maker, _, y graph.Value) { m.out("view", m.Reshape(y, m.k.n, 24, 5)) })
	add("two names", func(m *maker, _, y graph.Value) {
		m.out("one", y)
		m.out("two", y)
	})
	add("read through a view", func(m *maker, x, y graph.Value) {
		m.out("a", m.Activate(y, ref.SiLU))
		m.out("s", m.Softmax(m.Reshape(y, m.k.n, 120), 1))
	})
	add("views summed", func(m *maker, x, y graph.Value) {
		m.out("z", m.Add(m.Reshape(x, m.k.n, 120), m.Reshape(y, m.k.n, 120)))
	})
	add("two products", func(m *maker, x, y graph.Value) { m.out("z", m.Add(y, m.mid(m.linear("u", x)))) })
	add("sum with rows", func(m *maker, x, _ graph.Value) {
		rows := m.mid(m.Activate(m.mid(m.RepeatParam(m.k.weight("row", 24), 5)), ref.Tanh))
		m.out("z", m.Add(m.linear("u", x), rows))
	})
	add("sum with a constant", func(m *maker, _, y graph.Value) {
		m.out("z", m.Add(y, m.Const(uniform(stream("const"), 24), 24)))
	})
	add("arg-max", func(m *maker, _, y graph.Value) { m.out("z", m.ArgMax(y)) })
	add("arg-max of a view", func(m *maker, _, y graph.Value) { m.out("z", m.ArgMax(m.Reshape(y, m.k.n*5, 24))) })
	add("arg-max of other rows", func(m *maker, _, y graph.Value) { m.out("z", m.ArgMax(m.Reshape(y, m.k.n*10, 12))) })
	add("arg-max of an output", func(m *maker, _, y graph.Value) {
		m.out("y", y)
		m.out("z", m.ArgMax(y))
	})
	add("in place", func(m *maker, x, y graph.Value) {
		n := m.mid(m.norm(y))
		s := m.mid(m.Softmax(n, 2))
		m.out("z", m.Mul(m.mid(m.Add(s, x)), s))
		m.out("n", m.L2Norm(m.mid(m.Add(s, n))))
	})
	add("in place through views", func(m *maker, x, y graph.Value) {
		v := m.Reshape(m.mid(m.Activate(m.mid(m.norm(y)), ref.Tanh)), m.k.n, 24, 5)
		w := m.mid(m.Softmax(v, 1))
		m.out("z", m.Add(m.Reshape(w, m.k.n, 5, 24), x))
	})
	return all
}

// maker records with a kit at hand.
type maker struct {
	k *kit
	*graph.Builder
}

func (m *maker) out(name string, v graph.Value) { m.k.out(m.Builder, name, v) }

func (m *maker) mid(v graph.Value) graph.Value { return m.k.mid(m.Builder, v) }

// linear is a product that keeps the width.
func (m *maker) linear(name string, x graph.Value) graph.Value {
	return m.mid(m.Linear(x, m.k.weight(name, 24, 24), graph.LinearOpts{Bias: m.k.weight("bias of "+name+" b", 24)}))
}

func (m *maker) norm(x graph.Value) graph.Value {
	return m.LayerNorm(x, m.k.weight("norm w", 24), m.k.weight("norm b", 24), 1e-3)
}
