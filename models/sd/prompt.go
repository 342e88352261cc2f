package sd

import (
	"context"

	"syntic/models/token"
)

// Prompt asks for one picture.
type Prompt struct {
	Text     string
	Negative string // what the picture mustn't show; guidance leads away from it
	Seed     uint64 // of the picture's noise
}

// maxTexts is the most texts that the text encoder takes at once.
const maxTexts = 16

// texts returns how many texts the device best encodes at once, a power of two: a
// sixteenth of CLIP's pictures. Eight texts of v1 by ones, twos, fours and eights take two
// cores 1.11, 1.08, 1.36 and 1.48 s, for their activations leave the caches.
func (p *Pipeline) texts() int {
	n := 1
	for 2*n <= min(p.dev.Batch()/16, maxTexts) {
		n *= 2
	}
	return n
}

// textBatches cuts n texts into powers of two up to most, the largest first: any
// number of texts runs without padding, on few programs.
func textBatches(n, most int) []int {
	var list []int
	for size := most; n > 0; size /= 2 {
		for ; n >= size; n -= size {
			list = append(list, size)
		}
	}
	return list
}

// encode gives the UNet the prompts' rows, those of the negative prompts first.
func (d *Drawing) encode(ctx context.Context, prompts []Prompt) error {
	var texts []string
	if d.key.batch > d.n {
		for _, q := range prompts {
			texts = append(texts, q.Negative)
		}
	}
	for _, q := range prompts {
		texts = append(texts, q.Text)
	}
	known := map[string][]float32{} // for the next drawing, whose negative prompts are often the same
	var fresh []string
	for _, t := range texts {
		if _, seen := known[t]; seen {
			continue
		}
		if known[t] = d.p.known[t]; known[t] == nil {
			fresh = append(fresh, t)
		}
	}
	for _, n := range textBatches(len(fresh), d.p.texts()) {
		if err := d.encodeTexts(ctx, fresh[:n], known); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	d.p.known = known
	var hidden []float32
	for _, t := range texts {
		hidden = append(hidden, known[t]...)
	}
	if err := d.p.release(d.p.Text); err != nil {
		return err
	}
	return d.p.UNet.SetContext(ctx, hidden, len(texts))
}

// encodeTexts runs the text encoder and files every text's rows.
func (d *Drawing) encodeTexts(ctx context.Context, texts []string, rows map[string][]float32) error {
	c := d.p.Text.Config()
	ids := make([][]int32, len(texts))
	for i, t := range texts {
		var cut bool
		if ids[i], _, cut = d.p.tokens.Tokenize(t, c.Positions, token.PadEnd); cut {
			d.Cut++
		}
	}
	part := c.Positions * c.Hidden
	all := make([]float32, len(texts)*part)
	if err := d.p.Text.Hidden(ctx, all, ids); err != nil {
		return err
	}
	for i, t := range texts {
		rows[t] = all[i*part : (i+1)*part : (i+1)*part]
	}
	return finite("the text encoder", all)
}
