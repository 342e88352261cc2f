package graph

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/weights"
)

// paper is a device that computes nothing: it keeps the plan.
type paper struct {
	plan   *Plan
	closed int
}

func (*paper) Name() string                { return "paper" }
func (*paper) Batch() int                  { return 8 }
func (*paper) Ahead() int                  { return 1 }
func (*paper) Arrange(ops []*Op) []*Op     { return ops }
func (*paper) Prepare(*Op) (Step, error)   { return sheet{}, nil }
func (*paper) Close() error                { return nil }
func (*paper) Trim()                       {}
func (p *paper) Run(context.Context) error { return nil }

type sheet struct{}

func (sheet) Workspace() int   { return 0 }
func (sheet) Packed() []Packed { return nil }

func (p *paper) Bind(plan *Plan, _ []Step) (Runner, error) {
	p.plan = plan
	return &paperRunner{p, make([]float32, plan.Arena)}, nil
}

type paperRunner struct {
	*paper
	arena []float32
}

func (r *paperRunner) Memory(n *Node) []float32 {
	return r.arena[r.plan.Offset(n):][:n.Root().Shape.Elems()]
}

func (r *paperRunner) Close() error {
	r.closed++
	return nil
}

// kinds builds a program on paper and returns its operations' kinds.
func kinds(t *testing.T, record func(b *Builder), taps ...string) []string {
	t.Helper()
	d := &paper{}
	_, err := Build(d, record, taps...)
	require.NoError(t, err)
	var list []string
	for _, op := range d.plan.Ops {
		list = append(list, op.Attr.Kind())
	}
	return list
}

// named returns a parameter without a tensor.
func named(name string, shape ...int) *Param {
	p := NewParam(shape...)
	p.Name = name
	return p
}

// loaded returns a parameter with values.
func loaded(t *testing.T, name string, v []float32, shape ...int) *Param {
	t.Helper()
	p := named(name, shape...)
	i := weights.Info{Name: name, Shape: shape}
	for _, x := range v {
		i.Data = binary.LittleEndian.AppendUint32(i.Data, math.Float32bits(x))
	}
	require.NoError(t, p.Load(i))
	return p
}
