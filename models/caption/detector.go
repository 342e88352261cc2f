package caption

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"syntic/models/detr"
	"syntic/models/vision"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Detector is DETR with its preprocessing.
//
// Concurrency: one call at a time.
type Detector struct {
	DETR *detr.Model

	input vision.Config
	src   weights.Source
}

// LoadDetector opens DETR: dir/detr of a model directory, or dir itself.
func LoadDetector(d graph.Device, dir weights.Dir) (*Detector, error) {
	dir, err := part(dir, "detr")
	if err != nil {
		return nil, err
	}
	config, err := dir.Read("config.json")
	if err != nil {
		return nil, err
	}
	t := &Detector{}
	if t.src, err = dir.Weights("", weights.FamilyDETR); err != nil {
		return nil, err
	}
	if t.DETR, err = detr.Load(d, config, t.src); err == nil {
		t.input, err = preprocessor(dir, vision.DETRConfig())
	}
	if err != nil {
		return nil, errors.Join(dir.Name(err), t.src.Close())
	}
	return t, nil
}

// Weights returns the checkpoint, which stays the detector's.
func (t *Detector) Weights() weights.Source { return t.src }

// Labels returns the classes' names.
func (t *Detector) Labels() []string { return t.DETR.Config().Labels }

// Detect returns the objects of each picture whose score is above the
// threshold, in the order of the model's queries; ids without a name are no
// objects. Pictures of one size share a
// batch; none is padded, so a picture's objects don't depend on its neighbours.
func (t *Detector) Detect(ctx context.Context, pictures []*vision.Picture, threshold float32, par vision.Parallel) ([][]detr.Object, error) {
	found := make([][]detr.Object, len(pictures))
	groups := map[[2]int][]int{}
	var order [][2]int
	for i, p := range pictures {
		w, h := t.input.OutputSize(p.W, p.H)
		size := [2]int{w, h}
		if groups[size] == nil {
			order = append(order, size)
		}
		groups[size] = append(groups[size], i)
	}
	for _, size := range order {
		for part := range slices.Chunk(groups[size], detectBatch(size)) {
			if err := t.detect(ctx, found, pictures, part, size, threshold, par); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// detect handles the pictures whose indices are in part, all of one size.
func (t *Detector) detect(ctx context.Context, found [][]detr.Object, pictures []*vision.Picture, part []int, size [2]int, threshold float32, par vision.Parallel) error {
	w, h := size[0], size[1]
	pixels := make([]float32, len(part)*w*h*3)
	for j, i := range part {
		if err := t.input.Tensor(pixels[j*w*h*3:(j+1)*w*h*3], pictures[i], par); err != nil {
			return fmt.Errorf("picture %d: %w", i+1, err)
		}
	}
	out, err := t.DETR.Run(ctx, pixels, nil, len(part), h, w)
	if err != nil {
		return err
	}
	classes, queries := len(t.Labels()), t.DETR.Config().Queries
	logits, boxes := queries*(classes+1), queries*4
	for j, i := range part {
		all := detr.PostProcess(out.Logits[j*logits:(j+1)*logits], out.Boxes[j*boxes:(j+1)*boxes],
			classes, float32(pictures[i].W), float32(pictures[i].H), threshold)
		found[i] = slices.DeleteFunc(all, func(o detr.Object) bool { return t.Labels()[o.Label] == detr.Unused })
	}
	return nil
}

// detectBatch keeps a batch near one million pixels: an arena of 800×1066
// already takes 180 MB, and larger batches gain nothing there.
func detectBatch(size [2]int) int {
	return min(max(1, 1<<20/(size[0]*size[1])), maxBatch)
}

// Close frees the programs and closes the checkpoint.
func (t *Detector) Close() error { return errors.Join(t.DETR.Close(), t.src.Close()) }
