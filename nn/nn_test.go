package nn

import (
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor/devtest"
	"syntic/tensor/graph"
	"syntic/weights"
)

// block and model have every kind of field that the loader walks.
type block struct {
	Proj *Linear    `w:"proj"`
	Norm *LayerNorm `w:"pre_layrnorm"`
}

type model struct {
	Embed  *Embedding   `w:"embed"`
	Blocks []*block     `w:"h"`
	Same   *block       `w:""`
	Absent *Linear      `w:"absent"`
	Scale  *graph.Param `w:"logit_scale"`
	Cached *Linear      // no tag: not the checkpoint's
}

func newModel() *model {
	b := func() *block { return &block{Proj: NewLinear(3, 2, true), Norm: NewLayerNorm(2, 1e-5)} }
	return &model{
		Embed: NewEmbedding(5, 3), Blocks: []*block{b(), b()}, Same: b(),
		Scale: graph.NewParam(), Cached: NewLinear(3, 3, false),
	}
}

func TestEachNamesAndOrder(t *testing.T) {
	var names []string
	for _, i := range List(newModel(), "text") {
		names = append(names, i.Name)
	}
	require.Equal(t, []string{
		"text.embed.weight",
		"text.h.0.proj.weight", "text.h.0.proj.bias", "text.h.0.pre_layrnorm.weight", "text.h.0.pre_layrnorm.bias",
		"text.h.1.proj.weight", "text.h.1.proj.bias", "text.h.1.pre_layrnorm.weight", "text.h.1.pre_layrnorm.bias",
		"text.proj.weight", "text.proj.bias", "text.pre_layrnorm.weight", "text.pre_layrnorm.bias",
		"text.logit_scale",
	}, names)
	require.PanicsWithValue(t, "nn: n: a field of kind int can't hold parameters", func() {
		List(&struct {
			N int `w:"n"`
		}{}, "")
	})
}

// tensorOf is a float32 tensor of these values.
func tensorOf(name string, shape []int, v ...float32) weights.Info {
	i := weights.Info{Name: name, Shape: shape}
	for _, x := range v {
		i.Data = binary.LittleEndian.AppendUint32(i.Data, math.Float32bits(x))
	}
	return i
}

// stored writes a checkpoint with zeros of the model's tensors, changed by edit.
func stored(t *testing.T, edit func(list []weights.Info) []weights.Info) weights.Source {
	t.Helper()
	list := List(newModel(), "")
	for i := range list {
		list[i].Data = make([]byte, 4*list[i].Elems())
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	require.NoError(t, weights.Write(path, edit(list), nil))
	src, err := weights.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	return src
}

func TestLoadFillsEveryParameter(t *testing.T) {
	src := stored(t, func(list []weights.Info) []weights.Info {
		list[0] = tensorOf("embed.weight", []int{5, 3}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
		return append(list, tensorOf("position_ids", []int{1}, 0)) // buffers are ignored
	})
	m := newModel()
	require.NoError(t, Load(m, "", src))
	v, err := m.Embed.Weight.Float32s()
	require.NoError(t, err)
	require.Equal(t, float32(14), v[14])
	Each(m, "", func(name string, p *graph.Param) {
		_, ok := p.Tensor()
		require.True(t, ok, name)
		require.Equal(t, name, p.Label())
	})
}

// TestLoadListsEverything checks that one error names all that is wrong.
func TestLoadListsEverything(t *testing.T) {
	src := stored(t, func(list []weights.Info) []weights.Info {
		list[0] = tensorOf("embed.weight", []int{3, 5}, make([]float32, 15)...) // transposed
		list = append(list[:1], list[3:]...)                                    // h.0.proj
		return append(list, tensorOf("h.2.proj.weight", []int{1}, 0), tensorOf("lost", []int{1}, 0))
	})
	for name, load := range map[string]func(any, string, weights.Source) error{"whole": Load, "part": LoadPart} {
		err := load(newModel(), "", src)
		var check *weights.CheckError
		require.True(t, errors.As(err, &check), "%s: %v", name, err)
		require.Equal(t, []string{"h.0.proj.weight", "h.0.proj.bias"}, check.Missing, name)
		require.Len(t, check.Misshaped, 1, name)
		require.Contains(t, check.Misshaped[0], "embed.weight: is [3 5], want [5 3]", name)
		for _, part := range []string{"model.safetensors", "h.0.proj.weight", "h.0.proj.bias", "embed.weight"} {
			require.ErrorContains(t, err, part, name)
		}
		if name == "whole" {
			require.Equal(t, []string{"h.2.proj.weight", "lost"}, check.Unexpected)
			require.ErrorContains(t, err, "h.2.proj.weight")
			require.ErrorContains(t, err, "lost")
		} else {
			require.Empty(t, check.Unexpected, "a part leaves the rest alone")
		}
	}
}

func TestLoadRefusesIntegers(t *testing.T) {
	src := stored(t, func(list []weights.Info) []weights.Info {
		list[0] = weights.Info{Name: "embed.weight", DType: weights.I32, Shape: []int{5, 3}, Data: make([]byte, 60)}
		return list
	})
	err := Load(newModel(), "", src)
	require.ErrorContains(t, err, "embed.weight")
	require.ErrorContains(t, err, "I32")
}

func TestLoadPartOfALargerFile(t *testing.T) {
	src := stored(t, func(list []weights.Info) []weights.Info { return list })
	l := NewLinear(3, 2, true)
	require.NoError(t, LoadPart(l, "h.1.proj", src))
	require.Equal(t, "h.1.proj.bias", l.Bias.Name)
	require.Error(t, Load(l, "h.1.proj", src), "the rest of the file is unexpected")
}

// filled returns a parameter with these values.
func filled(t *testing.T, p *graph.Param, v ...float32) *graph.Param {
	t.Helper()
	require.NoError(t, p.Load(tensorOf("p", p.Shape, v...)))
	return p
}

// TestFold compares a folded convolution with a convolution followed by the
// norm's formula.
func TestFold(t *testing.T) {
	c, n := NewConv2D(2, 3, 2, 1, 0, false), NewFrozenBatchNorm(3)
	w := make([]float32, 3*2*2*2)
	for i := range w {
		w[i] = float32(i%7)/7 - 0.4
	}
	filled(t, c.Weight, w...)
	gamma, beta, mean, variance := []float32{1.2, 0.8, -1}, []float32{0.1, -0.3, 0.2}, []float32{0.5, 0, -0.25}, []float32{0.9, 2, 0.01}
	filled(t, n.Weight, gamma...)
	filled(t, n.Bias, beta...)
	filled(t, n.RunningMean, mean...)
	filled(t, n.RunningVar, variance...)
	folded := Fold(c, n)
	p, err := graph.Build(devtest.NewRef(), func(b *graph.Builder) {
		x := b.Input("x", 1, 4, 5, 2)
		b.Output("plain", c.Forward(b, x, graph.ConvOpts{}))
		b.Output("folded", folded.Forward(b, x, graph.ConvOpts{}))
	})
	require.NoError(t, err)
	for i := range p.F32("x") {
		p.F32("x")[i] = float32(i%11) / 5
	}
	require.NoError(t, p.Run(t.Context()))
	for i, v := range p.F32("plain") {
		o := i % 3
		want := (float64(v)-float64(mean[o]))*float64(gamma[o])/math.Sqrt(float64(variance[o])+1e-5) + float64(beta[o])
		require.InDelta(t, want, p.F32("folded")[i], 2e-6)
	}
}

// TestStackAndRows compares a stacked layer and a part of one with their
// sources.
func TestStackAndRows(t *testing.T) {
	a, z := NewLinear(2, 2, true), NewLinear(2, 1, true)
	filled(t, a.Weight, 1, 2, 3, 4)
	filled(t, a.Bias, 10, 20)
	filled(t, z.Weight, 5, 6)
	filled(t, z.Bias, 30)
	stack := StackLinear(a, z)
	p, err := graph.Build(devtest.NewRef(), func(b *graph.Builder) {
		x := b.Input("x", 1, 2)
		b.Output("stack", stack.Forward(b, x, graph.LinearOpts{}))
		b.Output("rows", RowsLinear(stack, 1, 3).Forward(b, x, graph.LinearOpts{}))
	})
	require.NoError(t, err)
	copy(p.F32("x"), []float32{1, 10})
	require.NoError(t, p.Run(t.Context()))
	require.Equal(t, []float32{31, 63, 95}, p.F32("stack"))
	require.Equal(t, []float32{63, 95}, p.F32("rows"))
}
