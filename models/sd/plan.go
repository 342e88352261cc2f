package sd

import (
	"fmt"
	"io"
	"maps"

	"syntic/tensor/graph"
)

// Stage is one part of drawing and what it takes.
type Stage struct {
	Name       string
	Runs       int // for one batch: of texts, steps, pictures or tiles
	graph.Need     // of a run; its memory is that of all programs the stage keeps
}

// Plan tells what drawing a batch of pictures takes, stage by stage, before any
// weight is read.
//
// Errors: those of Start about settings; an operation the device can't run.
func (p *Pipeline) Plan(batch int, s Settings) ([]Stage, error) {
	s, err := p.Complete(s)
	if err != nil {
		return nil, err
	}
	schedule, err := p.scheduler(s)
	if err != nil {
		return nil, err
	}
	if batch < 1 || batch > maxBatch {
		return nil, fmt.Errorf("%d pictures at once: must lie between 1 and %d", batch, maxBatch)
	}
	halves := batch
	if s.Guidance > 1 {
		halves *= 2
	}
	h, w := p.VAE.Cells(s.Height, s.Width)
	length := p.Text.Config().Positions
	if err := p.UNet.possible(halves, h, w); err != nil {
		return nil, err
	}
	k := unetKey{promptKey{halves, length}, h, w}
	th, tw := h, w
	if s.Tiles {
		th, tw = min(h, tileCells), min(w, tileCells)
	}
	together := p.together(batch, s)
	if err := p.VAE.possible(together, th*p.VAE.Factor(), tw*p.VAE.Factor()); err != nil {
		return nil, err
	}
	var texts []int // the batches that drawings of this size can meet
	for size := 1; size <= min(halves, textBatch); size *= 2 {
		texts = append(texts, size)
	}
	list := []struct {
		name   string
		runs   int
		sizes  []int
		record func(b *graph.Builder, n int)
	}{
		{"text encoder", halves, texts, func(b *graph.Builder, n int) { p.Text.Record(b, n, length) }},
		{"picture encoder", 1, nil, func(b *graph.Builder, _ int) { p.VAE.encode(b, 1, s.Height, s.Width) }},
		{"prompt's keys and values", 1, nil, func(b *graph.Builder, _ int) { p.UNet.recordContext(b, k.promptKey) }},
		{"UNet", schedule.Steps(), nil, func(b *graph.Builder, _ int) { p.UNet.record(b, k) }},
		{"picture decoder", batch * len(tiles(h)) * len(tiles(w)), []int{together}, func(b *graph.Builder, n int) { p.VAE.decode(b, n, th, tw) }},
	}
	if !s.Tiles {
		list[4].runs = batch
	}
	var stages []Stage
	for _, l := range list {
		if l.name == "picture encoder" && s.Init == nil {
			continue
		}
		need, err := p.measure(l.record, l.sizes)
		if err != nil {
			return nil, err
		}
		stages = append(stages, Stage{l.name, l.runs, need})
	}
	return stages, nil
}

// measure returns what a stage takes: the operations of a batch of one, and the
// memory of the programs of all sizes, those of one item where there are none.
func (p *Pipeline) measure(record func(b *graph.Builder, n int), sizes []int) (graph.Need, error) {
	one, err := graph.Measure(p.dev, func(b *graph.Builder) { record(b, 1) })
	if err != nil || len(sizes) == 0 {
		return one, err
	}
	one.Arena = 0
	for _, n := range sizes {
		need, err := graph.Measure(p.dev, func(b *graph.Builder) { record(b, n) })
		if err != nil {
			return one, err
		}
		one.Arena += need.Arena
		maps.Copy(one.Weights, need.Weights)
	}
	return one, nil
}

// Resident returns the memory of all stages ready at once, and of the largest
// that must be, which is what a lean Pipeline takes.
func Resident(stages []Stage) (all, lean int) {
	var needs, unet []graph.Need
	for _, s := range stages {
		needs = append(needs, s.Need)
		switch s.Name {
		case "UNet", "prompt's keys and values":
			unet = append(unet, s.Need)
		default:
			lean = max(lean, graph.Bytes(s.Need))
		}
	}
	return graph.Bytes(needs...), max(lean, graph.Bytes(unet...))
}

// release frees a tower's programs and weights where the Pipeline is lean.
func (p *Pipeline) release(tower io.Closer) error {
	if !p.Lean {
		return nil
	}
	err := tower.Close()
	p.dev.Trim()
	return err
}
