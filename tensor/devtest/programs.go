package devtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"syntic/tensor/graph"
)

// sharedCache checks that two programs of one device see one state: a prefix
// is written by one and read by the other, as decoders do.
func (s Suite) sharedCache(t *testing.T) {
	const length, width = 6, 8
	k := newKit(2)
	write := testCase{name: "write", record: func(k *kit, b *graph.Builder) {
		at := k.number(b, "at", func(int) int { return 1 })
		k.out(b, "y", b.Scale(b.CacheWrite(k.state("cache", length, width), k.in(b, "x", 3, width), 0, at), 1))
	}}
	read := testCase{name: "read", record: func(k *kit, b *graph.Builder) {
		k.out(b, "y", b.Scale(b.State(k.state("cache", length, width)), 2))
	}}
	d, r := s.device(t, 2), NewRef()
	for _, on := range []graph.Device{d, r} {
		before := record(t, &read, k, on)
		equalBits(t, make([]float32, 2*length*width), before.run(t)[0], on.Name()+": an unwritten state")
		written := record(t, &write, k, on).run(t)[0]
		again := before.run(t)[0]
		for i, v := range written {
			written[i] = 2 * v
		}
		if e := relErr(again, written); s.Error == 0 || e > s.Error {
			equalBits(t, written, again, on.Name()+": the state read by another program")
		}
		if relErr(again, make([]float32, len(again))) == 0 {
			t.Errorf("%s: the state is still zero", on.Name())
		}
	}
}

// sharedWeights checks that programs of one device which pack the same weight
// in several forms don't disturb one another, and that closing one leaves the
// others intact.
func (s Suite) sharedWeights(t *testing.T) {
	d, r := s.device(t, 2), NewRef()
	k := newKit(2)
	use := func(layout graph.Layout, rows int) testCase {
		return testCase{name: "use", record: func(k *kit, b *graph.Builder) {
			w := k.weight("square", 24, 24)
			y := b.Linear(k.in(b, "x", rows, 24), w, graph.LinearOpts{Layout: layout})
			k.out(b, "y", b.AddParam(y, k.weight("shift", 24)))
			k.out(b, "e", b.Embed(k.ids(b, "ids", 24, 3), w))
		}}
	}
	first, second := use(graph.NK, 3), use(graph.KN, 3)
	a, err := k.build(d, first.record)
	if err != nil {
		t.Fatal(err)
	}
	other, want := record(t, &second, k, d), record(t, &second, k, r)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	g, w := other.run(t), want.run(t)
	for i := range w {
		if e := relErr(g[i], w[i]); !(e <= s.tolerance(products)) {
			t.Errorf("%s: relative error %.3g", other.name(i), e)
		}
	}
}

// stopAfter is a context that ends after its error was asked for n times.
type stopAfter struct {
	context.Context
	n int
}

var errStopped = errors.New("stopped")

// Err implements context.Context.
func (c *stopAfter) Err() error {
	if c.n--; c.n < 0 {
		return errStopped
	}
	return nil
}

// cancellation checks that a run ends between two steps once its context does, or
// reports it at the end if the device replays programs as one, and that the
// program works again afterwards.
func (s Suite) cancellation(t *testing.T) {
	const steps = 20
	c := testCase{name: "chain", record: func(k *kit, b *graph.Builder) {
		x := k.in(b, "x", 16)
		for range steps {
			x = b.L2Norm(b.LayerNorm(x, k.weight("w", 16), k.weight("b", 16), 1e-3))
		}
		k.out(b, "y", x)
	}}
	d := s.device(t, 2)
	p := record(t, &c, newKit(2), d)
	want := p.run(t)
	stops := []int{0, 1, steps / 2}
	if s.Whole {
		stops = stops[:2]
	}
	for _, n := range stops {
		clear(p.F32("y"))
		if err := p.Run(&stopAfter{t.Context(), n}); !errors.Is(err, errStopped) {
			t.Fatalf("stopped after %d steps of %d: error %v", n, p.Steps(), err)
		}
		equalBits(t, want[0], p.run(t)[0], "after a stopped run")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: error %v", err)
	}
}

// errors checks that data which can't be used is an error of the run that says
// what is wrong, and that the program works with good data afterwards.
func (s Suite) errors(t *testing.T) {
	d := s.device(t, 2)
	for _, c := range []struct {
		name   string
		bad    map[string]int32
		want   []string // parts of the message
		record func(k *kit, b *graph.Builder)
	}{
		{"an id past the table", map[string]int32{"ids": 29}, []string{"table", "29"}, embedding},
		{"a negative id", map[string]int32{"ids": -1}, []string{"table", "-1", "29"}, embedding},
		{"a row past the value", map[string]int32{"index": 7}, []string{"7"}, gathering},
		{"a negative row", map[string]int32{"index": -3}, []string{"-3", "7"}, gathering},
		{"a full cache", map[string]int32{"at": 5}, []string{"6"}, caching},
		{"a negative cache row", map[string]int32{"at": -1}, []string{"-1"}, caching},
		{"more keys than there are", map[string]int32{"used": 7}, []string{"7", "6"}, caching},
		{"fewer keys than none", map[string]int32{"used": -1}, []string{"-1"}, caching},
		{"a sequence that isn't there", map[string]int32{"from": 2}, []string{"2"}, caching},
		{"a negative sequence", map[string]int32{"from": -1}, []string{"-1"}, caching},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := record(t, &testCase{name: c.name, record: c.record}, newKit(2), d)
			want := p.run(t)
			for name, v := range c.bad {
				p.I32(name)[len(p.I32(name))-1] = v
			}
			err := p.Run(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q doesn't say %q", err, part)
				}
			}
			for i, again := range p.run(t) {
				equalBits(t, want[i], again, "after the error")
			}
		})
	}
	t.Run("an unknown operation", func(t *testing.T) {
		if _, err := d.Prepare(&graph.Op{Attr: unknown{}}); err == nil || !strings.Contains(err.Error(), "no such thing") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a weight that isn't loaded", func(t *testing.T) {
		w := graph.NewParam(4, 4)
		w.Name = "layer.weight"
		_, err := graph.Build(d, func(b *graph.Builder) {
			b.Output("y", b.Linear(b.Input("x", 2, 4), w, graph.LinearOpts{}))
		})
		if err == nil || !strings.Contains(err.Error(), "layer.weight") {
			t.Errorf("error %v", err)
		}
	})
}

// unknown is an operation that no device has.
type unknown struct{}

// Kind implements graph.Attr.
func (unknown) Kind() string { return "no such thing" }

func embedding(k *kit, b *graph.Builder) {
	k.out(b, "y", b.Embed(k.ids(b, "ids", 29, 5), k.weight("table", 29, 4)))
}

func gathering(k *kit, b *graph.Builder) {
	k.out(b, "y", b.Gather(k.in(b, "x", 7, 4), k.ids(b, "index", 7)))
}

func caching(k *kit, b *graph.Builder) {
	at, used := k.number(b, "at", func(int) int { return 2 }), k.number(b, "used", func(int) int { return 4 })
	qkv, state := k.in(b, "qkv", 2, 12), k.state("cache", 6, 8)
	from := k.ids(b, "from", 1)
	b.CacheSelect(state, from, b.InputI32("selected", 1))
	kv := b.CacheWrite(state, qkv, 4, at)
	k.out(b, "y", b.Attention(qkv, kv, kv, graph.AttentionOpts{Heads: 1, D: 4, VOff: 4, Used: used}))
}
