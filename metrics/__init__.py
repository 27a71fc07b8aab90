"""Numbers that tell how near generated images are to real ones, from their features.

The numbers take NumPy and SciPy only: features are arrays [N, D] of any real dtype, a
row an image; extractors.py makes them. Inside, all is float64. Numbers of different
features, or of different N, are not to be compared.

moments.py           mean and covariance, from one block of features after another
frechet.py           Fréchet distance of two Gaussians (FID, in Inception features)
kid.py               kernel distance (KID)
inception.py         Inception Score
precision_recall.py  improved precision and recall
two_sample.py        accuracy of the 1-nearest-neighbour two-sample test
neighbours.py        nearest neighbours, as of samples among the training images
copies.py            whether those are nearer than images never seen
judge.py             all metrics of two sets of images, in one result
features.py          images to features: pixels
extractors.py        images to features: the table of --features
network.py           what extractors share that are networks, on TensorFlow:
classifier.py          one that learns the data set's labels, which labels.py finds,
inception_graph.py     the one that the FID is defined on,
random_net.py          one that nobody trained
arrays.py            what they share: checks, and blocks of rows
"""
