package sd

import (
	"fmt"
	"io"

	"syntic/tensor/graph"
)

// Stage is one part of drawing and what it takes.
type Stage struct {
	Name string
	Runs int // of its program, for one batch
	graph.Need
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
	k := unetKey{promptKey{halves, length}, batch, h, w}
	th, tw := h, w
	if s.Tiles {
		th, tw = min(h, tileCells), min(w, tileCells)
	}
	if err := p.VAE.possible(1, th*p.VAE.Factor(), tw*p.VAE.Factor()); err != nil {
		return nil, err
	}
	list := []struct {
		name   string
		runs   int
		record func(b *graph.Builder)
	}{
		{"text encoder", halves, func(b *graph.Builder) { p.Text.Record(b, 1, length) }},
		{"picture encoder", 1, func(b *graph.Builder) { p.VAE.encode(b, 1, s.Height, s.Width) }},
		{"prompt's keys and values", 1, func(b *graph.Builder) { p.UNet.recordContext(b, k.promptKey) }},
		{"UNet", schedule.Steps(), func(b *graph.Builder) { p.UNet.record(b, k) }},
		{"picture decoder", batch * len(tiles(h)) * len(tiles(w)), func(b *graph.Builder) { p.VAE.decode(b, 1, th, tw) }},
	}
	if !s.Tiles {
		list[4].runs = batch
	}
	var stages []Stage
	for _, l := range list {
		if l.name == "picture encoder" && s.Init == nil {
			continue
		}
		need, err := graph.Measure(p.dev, l.record)
		if err != nil {
			return nil, err
		}
		stages = append(stages, Stage{l.name, l.runs, need})
	}
	return stages, nil
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
