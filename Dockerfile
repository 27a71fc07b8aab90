# The program in a container; data/, checkpoint/ and samples/ are those of the folder
# that is mounted over /work.
#
#   docker build -t dcgan .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" dcgan --dataset toonfaces --train
#
# With an NVIDIA GPU (and its container toolkit):
#
#   docker build -t dcgan-gpu --build-arg 'TENSORFLOW=tensorflow[and-cuda]==2.21.0' .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" dcgan-gpu --flagfile configs/wide.flags --dataset toonfaces --train

FROM python:3.12-slim
ARG TENSORFLOW=tensorflow==2.21.0

COPY requirements.txt /dcgan/
RUN python -m pip install --no-cache-dir -r /dcgan/requirements.txt "$TENSORFLOW"
COPY . /dcgan

# For a user without a home
ENV MPLCONFIGDIR=/tmp PYTHONDONTWRITEBYTECODE=1
WORKDIR /work
ENTRYPOINT ["python", "/dcgan/main.py"]
CMD ["--help"]
