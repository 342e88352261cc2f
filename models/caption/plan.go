package caption

import "fmt"

// Stage is the planned memory of one part of captioning, in bytes, beside the
// weights.
type Stage struct {
	Name   string `json:"name"`
	Arena  int    `json:"arena"`  // activations
	States int    `json:"states"` // keys and values of the language model
}

// Plan builds the programs that captioning a batch of w×h pictures runs, without
// running them, and returns what each needs. Building packs the weights.
func (m *Model) Plan(batch, w, h int, o Options) ([]Stage, error) {
	if batch < 1 || batch > maxBatch || w < 1 || h < 1 {
		return nil, fmt.Errorf("a batch of %d pictures of %d×%d can't be planned; at most %d at a time", batch, w, h, maxBatch)
	}
	p, err := m.Encoder.CLIP.ImageProgram(batch)
	if err != nil {
		return nil, err
	}
	stages := []Stage{{Name: "CLIP image tower", Arena: p.ArenaBytes()}}
	if m.Memory != nil && !o.NoProjection {
		if p, err = m.projection(min(batch, projectBatch), m.Settings.Tau); err != nil {
			return nil, err
		}
		stages = append(stages, Stage{Name: "projection", Arena: p.ArenaBytes()})
	}
	if m.Detector != nil && !o.NoTags {
		dw, dh := m.Detector.input.OutputSize(w, h)
		if p, err = m.Detector.DETR.Program(min(batch, detectBatch([2]int{dw, dh})), dh, dw, false); err != nil {
			return nil, err
		}
		stages = append(stages, Stage{Name: fmt.Sprintf("DETR %d×%d", dw, dh), Arena: p.ArenaBytes()})
	}
	arena, states, err := m.Decoder.Plan(batch, m.prefix.Len(), m.generation(o))
	if err != nil {
		return nil, err
	}
	return append(stages, Stage{Name: "language model", Arena: arena, States: states}), nil
}
